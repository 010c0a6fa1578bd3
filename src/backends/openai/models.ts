import { z } from 'zod'
import { rootPath } from '../address.ts'
import { LlmError, type ModelInfo } from '../contract.ts'
import { askJson, type Exchange } from '../exchange.ts'

const list = z.looseObject({
  data: z
    .array(
      z.looseObject({
        id: z.string(),
        owned_by: z.string().nullish(),
        // vLLM
        max_model_len: z.number().nullish(),
        // llama.cpp
        meta: z.looseObject({ n_ctx_train: z.number().nullish(), size: z.number().nullish() }).nullish(),
      }),
    )
    // Ollama without models
    .nullable(),
})
const props = z.looseObject({ default_generation_settings: z.looseObject({ n_ctx: z.number() }) })

export async function openAiModels(through: Exchange, signal: AbortSignal): Promise<ModelInfo[]> {
  const root = rootPath(through.transport.address.basePath)
  const { data } = await askJson(through, { method: 'GET', path: `${root}/v1/models`, signal }, list)
  return (data ?? []).map((model) => ({
    name: model.id,
    // these serve what they have loaded and nothing else
    ...(model.owned_by === 'vllm' || model.owned_by === 'llamacpp' ? { loaded: true } : {}),
    ...(model.max_model_len ? { contextTokens: model.max_model_len } : {}),
    ...(model.meta?.n_ctx_train ? { trainedContextTokens: model.meta.n_ctx_train } : {}),
    ...(model.meta?.size ? { sizeBytes: model.meta.size } : {}),
    ...(/embed|rerank|whisper|\btts\b/i.test(model.id) ? { chat: false } : {}),
  }))
}

export async function describeOpenAiModel(through: Exchange, name: string, signal: AbortSignal): Promise<ModelInfo> {
  const models = await openAiModels(through, signal)
  const model = models.find((one) => one.name === name)
  if (model === undefined) {
    const { origin } = through.transport.address
    const message = `The model ${name} is not on ${origin}: load it there, or choose another.`
    throw new LlmError('model-missing', { backend: through.backend, fault: 'model', message })
  }
  if (model.contextTokens !== undefined) return model
  const contextTokens = await windowOfLlamaCpp(through, signal)
  return contextTokens === undefined ? model : { ...model, contextTokens }
}

async function windowOfLlamaCpp(through: Exchange, signal: AbortSignal): Promise<number | undefined> {
  const root = rootPath(through.transport.address.basePath)
  try {
    const told = await askJson(through, { method: 'GET', path: `${root}/props`, signal }, props)
    return told.default_generation_settings.n_ctx
  } catch (error) {
    signal.throwIfAborted()
    // any other server has no such route, or asks for another key there
    if (error instanceof LlmError) return undefined
    throw error
  }
}
