import type { Settings } from '../config/config.ts'
import { LlmError, type BackendInfo, type LlmService, type LlmServiceOptions } from '../index.ts'
import { scriptedModel, scriptedResponder } from '../server/scripted-responder.ts'
import type { Answering } from '../server/protocol.ts'
import { openEmbedded } from './open-embedded.ts'
import { initializedService, type Keeping } from './open-store.ts'
import type { Terminal } from './terminal.ts'

export interface ChosenService {
  service: LlmService
  answering: Answering
  close(): Promise<void>
}

export interface Choosing {
  settings: Settings
  terminal: Terminal
  signal: AbortSignal
  /** What every service gets, whoever answers. */
  options: Pick<LlmServiceOptions, 'inspect'>
  /** Where conversations are kept, if they are. */
  keeping: Keeping | undefined
}

/**
 * Who answers: the configured server, and no other; else Ollama at its usual place; else the embedded engine, fetched
 * if need be; and where nothing can be had the scripted responder, which says that it is no language model. Rejects
 * with an LlmError where what somebody asked for cannot be had.
 */
export async function chooseService(choosing: Choosing): Promise<ChosenService> {
  const { settings, options, keeping, terminal } = choosing
  if (settings.apiType === 'embedded') return embedded(choosing)
  const { service, info } = await initializedService({ ...settings, ...options }, keeping, terminal)
  const isConfigured = settings.baseUrl !== undefined || settings.apiType !== 'auto'
  if (isConfigured) {
    const trouble = whatIsMissing(info, settings)
    if (trouble === undefined) return served(service, 'configured', info, settings)
    await service.close()
    throw trouble
  }
  const isNamedElsewhere = settings.defaultModel !== undefined && !has(info, settings.defaultModel)
  if (info.reachable && info.error === undefined && chatModels(info).length > 0 && !isNamedElsewhere)
    return served(service, 'ollama', info, settings)
  await service.close()
  return embeddedOrScripted(choosing, info)
}

async function embeddedOrScripted(choosing: Choosing, info: BackendInfo): Promise<ChosenService> {
  const { settings, terminal, signal } = choosing
  const noServer = info.reachable
    ? `the server at ${info.origin} has no ${settings.defaultModel ?? 'model'}`
    : `no server answers at ${info.origin}`
  terminal.errors.lines(`${capital(noServer)}: using the embedded engine on this machine.`)
  try {
    return await embedded(choosing)
  } catch (error) {
    // A model that somebody named is not replaced by a script.
    if (signal.aborted || !(error instanceof LlmError) || settings.defaultModel !== undefined) throw error
    return scripted(choosing, `${noServer}, and the embedded engine cannot be had: ${error.message}`)
  }
}

async function embedded({ settings, terminal, signal, options, keeping }: Choosing): Promise<ChosenService> {
  const { backend, modelName } = await openEmbedded(settings, terminal, signal)
  const fallback = { ...settings.fallback, models: [] }
  const given = { ...settings, ...options, defaultModel: modelName, fallback, backend }
  const { service } = await initializedService(given, keeping, terminal).catch(async (error: unknown) => {
    await backend.close?.()
    throw error
  })
  const warming = new AbortController()
  const prompt = { model: modelName, messages: [{ role: 'system' as const, content: settings.systemPrompt }] }
  const warmed = (backend.prewarm?.(prompt, warming.signal) ?? Promise.resolve()).catch((error: unknown) => {
    // The first turn meets the same fault and tells it where it is asked.
    if (!warming.signal.aborted) terminal.errors.lines(`The model is not read in yet: ${String(error).split('\n')[0]}`)
  })
  return {
    service,
    answering: { kind: 'embedded', model: modelName, isLanguageModel: true },
    async close() {
      warming.abort(new Error('closing'))
      await service.close()
      await backend.close?.()
      await warmed
    },
  }
}

async function scripted({ settings, options, keeping, terminal }: Choosing, why: string): Promise<ChosenService> {
  const fallback = { ...settings.fallback, models: [] }
  const backend = scriptedResponder()
  const given = { ...settings, ...options, defaultModel: scriptedModel, fallback, backend }
  const { service } = await initializedService(given, keeping, terminal)
  const notice = `This is not a language model, only a few scripted answers. ${capital(why)}. For a real one: start Ollama (ollama serve; ollama pull llama3.2:3b), or run colloquy model pull with a network, then start again.`
  return {
    service,
    answering: { kind: 'scripted', model: scriptedModel, isLanguageModel: false, notice: notice.replaceAll('..', '.') },
    close: () => service.close(),
  }
}

function served(service: LlmService, kind: Answering['kind'], info: BackendInfo, settings: Settings): ChosenService {
  const model = firstModel(info, settings)
  const answering = { kind, isLanguageModel: true, ...(model === undefined ? {} : { model }) }
  return { service, answering, close: () => service.close() }
}

/** Why a configured server cannot answer; undefined where it can, as far as a look tells. */
function whatIsMissing(info: BackendInfo, settings: Settings): LlmError | undefined {
  const { error, origin, models } = info
  if (error !== undefined) return new LlmError(error.code, error)
  if (!info.reachable)
    return new LlmError('connection', {
      message: `nothing answers at ${origin}; start the server or correct --base-url`,
    })
  if (models === undefined || candidates(settings).some((name) => has(info, name))) return undefined
  const names = chatModels(info)
  if (settings.defaultModel === undefined && names.length > 0) return undefined
  const known = names.length === 0 ? 'none' : names.slice(0, 8).join(', ')
  const message = `${origin} has no model ${settings.defaultModel ?? 'at all'}; it has ${known}: choose with --model, or pull it (ollama pull NAME)`
  return new LlmError('model-missing', { message })
}

function candidates({ defaultModel, fallback }: Settings): string[] {
  const others = fallback.models.flatMap((model) => (typeof model === 'string' ? [model] : []))
  return defaultModel === undefined ? others : [defaultModel, ...others]
}

function firstModel(info: BackendInfo, settings: Settings): string | undefined {
  return candidates(settings).find((name) => has(info, name)) ?? settings.defaultModel ?? chatModels(info)[0]
}

function chatModels({ models = [] }: BackendInfo): string[] {
  return models.filter(({ chat }) => chat !== false).map(({ name }) => name)
}

/** Ollama leaves `:latest` out where people name a model. */
function has({ models = [] }: BackendInfo, wanted: string): boolean {
  return models.some(({ name }) => name === wanted || name === `${wanted}:latest`)
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
