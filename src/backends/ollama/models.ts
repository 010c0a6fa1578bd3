import { z } from 'zod'
import { rootPath } from '../address.ts'
import { LlmError, type ModelInfo } from '../contract.ts'
import { askJson, type Exchange } from '../exchange.ts'

const details = z.looseObject({ family: z.string().nullish() }).nullish()
const tags = z.looseObject({
  models: z
    .array(
      z.looseObject({
        name: z.string(),
        size: z.number().nullish(),
        details,
        capabilities: z.array(z.string()).nullish(),
      }),
    )
    .nullable(),
})
const running = z.looseObject({
  models: z.array(z.looseObject({ name: z.string(), context_length: z.number().nullish() })).nullish(),
})
const shown = z.looseObject({
  details,
  capabilities: z.array(z.string()).nullish(),
  model_info: z.record(z.string(), z.unknown()).nullish(),
})

/** `llama3.2` and `llama3.2:latest` are one model. */
export const sameModel = (one: string, other: string): boolean => fullName(one) === fullName(other)
const fullName = (name: string) => (name.lastIndexOf(':') > name.lastIndexOf('/') ? name : `${name}:latest`)

function canChat(capabilities: readonly string[] | null | undefined, family: string | null | undefined) {
  if (capabilities) return { chat: capabilities.includes('completion') }
  return /bert/i.test(family ?? '') ? { chat: false } : {}
}

/** The models loaded now with the window really allocated; undefined where the server does not tell. */
async function loadedModels(through: Exchange, signal: AbortSignal) {
  const root = rootPath(through.transport.address.basePath)
  try {
    const { models } = await askJson(through, { method: 'GET', path: `${root}/api/ps`, signal }, running)
    return models ?? []
  } catch (error) {
    signal.throwIfAborted()
    // look-alikes have tags but no ps
    if (error instanceof LlmError && (error.code === 'http' || error.code === 'protocol')) return undefined
    throw error
  }
}

type Loaded = Awaited<ReturnType<typeof loadedModels>>

function loadedFacts(loaded: Loaded, name: string): Pick<ModelInfo, 'loaded' | 'contextTokens'> {
  if (loaded === undefined) return {}
  const found = loaded.find((model) => sameModel(model.name, name))
  return {
    loaded: found !== undefined,
    ...(found?.context_length ? { contextTokens: found.context_length } : {}),
  }
}

export async function ollamaModels(through: Exchange, signal: AbortSignal): Promise<ModelInfo[]> {
  const root = rootPath(through.transport.address.basePath)
  const { models } = await askJson(through, { method: 'GET', path: `${root}/api/tags`, signal }, tags)
  const loaded = await loadedModels(through, signal)
  return (models ?? []).map((model) => ({
    name: model.name,
    ...loadedFacts(loaded, model.name),
    ...canChat(model.capabilities, model.details?.family),
    ...(model.size ? { sizeBytes: model.size } : {}),
  }))
}

export async function describeOllamaModel(through: Exchange, model: string, signal: AbortSignal): Promise<ModelInfo> {
  const root = rootPath(through.transport.address.basePath)
  const body = JSON.stringify({ model })
  const {
    model_info,
    capabilities,
    details: kind,
  } = await askJson(through, { method: 'POST', path: `${root}/api/show`, body, signal, model }, shown)
  const loaded = await loadedModels(through, signal)
  const trained = Object.entries(model_info ?? {}).find(([name]) => name.endsWith('.context_length'))?.[1]
  return {
    name: model,
    ...loadedFacts(loaded, model),
    ...canChat(capabilities, kind?.family),
    ...(typeof trained === 'number' ? { trainedContextTokens: trained } : {}),
  }
}
