import type { Clock } from '../../machines/vocabulary.ts'
import { LlmError, type Backend, type ModelInfo } from '../backends/contract.ts'

/** Younger than this, a list is believed as it is; up to `staleMs` it is used and looked up again meanwhile. */
const freshMs = 15_000
const staleMs = 60_000

/** Which models each backend has: asked seldom, because a reply waits for the answer. */
export interface ModelDirectory {
  /** What the backend has, without what proved to be missing. */
  list(backend: Backend, signal: AbortSignal): Promise<ModelInfo[]>
  /** The server said 404: not asked again until the list says otherwise. */
  markAbsent(backend: Backend, model: string): void
  /** It answered: it is in memory now. */
  markLoaded(backend: Backend, model: string): void
  close(): void
}

interface Entry {
  atMs: number
  models: ModelInfo[]
  absent: Set<string>
}

export function createModelDirectory(clock: Clock): ModelDirectory {
  const entries = new Map<string, Entry>()
  const refreshing = new Map<string, AbortController>()

  async function load(backend: Backend, signal: AbortSignal): Promise<Entry> {
    const models = await backend.models(signal)
    const entry = { atMs: clock.now(), models: models.map((model) => ({ ...model })), absent: new Set<string>() }
    entries.set(backend.origin, entry)
    return entry
  }

  function refresh(backend: Backend): void {
    if (refreshing.has(backend.origin)) return
    const controller = new AbortController()
    refreshing.set(backend.origin, controller)
    const done = () => refreshing.delete(backend.origin)
    // A look that fails leaves the old list, and the next reply waits for a new one: it will tell what is wrong.
    load(backend, controller.signal).then(done, done)
  }

  return {
    async list(backend, signal) {
      let entry = entries.get(backend.origin)
      const age = entry ? clock.now() - entry.atMs : Infinity
      if (!entry || age > staleMs) entry = await load(backend, signal)
      else if (age > freshMs) refresh(backend)
      const { models, absent } = entry
      return models.filter(({ name }) => !absent.has(name))
    },
    markAbsent(backend, model) {
      entries.get(backend.origin)?.absent.add(model)
    },
    markLoaded(backend, model) {
      const known = entries.get(backend.origin)?.models.find(({ name }) => sameModel(name, model))
      if (known?.loaded === false) known.loaded = true
    },
    close() {
      for (const controller of refreshing.values()) controller.abort()
      entries.clear()
    },
  }
}

/** Ollama lists `llama3.2:latest` for what people call `llama3.2`. */
export function sameModel(listed: string, asked: string): boolean {
  return listed === asked || listed === `${asked}:latest`
}

/** The error of a model that is not there, with the way to get it. */
export function modelMissing(model: string | undefined): LlmError {
  const name = model ?? 'llama3.2:3b'
  return new LlmError('model-missing', {
    message: `${model ? `model ${model} is not there` : 'the server has no chat model'}; pull one (ollama pull ${name}) or set defaultModel to one that it lists`,
  })
}
