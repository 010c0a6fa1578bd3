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

interface Look {
  origin: string
  controller: AbortController
  entry: Promise<Entry>
  waiting: number
}

export function createModelDirectory(clock: Clock): ModelDirectory {
  const entries = new Map<string, Entry>()
  const looks = new Map<string, Look>()

  /** One look for all who ask at the same time. It ends when nobody waits for it any more. */
  function look(backend: Backend): Look {
    const before = looks.get(backend.origin)
    if (before) return before
    const controller = new AbortController()
    const entry = backend.models(controller.signal).then((models): Entry => ({
      atMs: clock.now(),
      models: models.map((model) => ({ ...model })),
      absent: new Set(),
    }))
    const one: Look = { origin: backend.origin, controller, entry, waiting: 0 }
    looks.set(backend.origin, one)
    const done = () => {
      if (looks.get(backend.origin) === one) looks.delete(backend.origin)
    }
    entry.then((found) => {
      if (!controller.signal.aborted) entries.set(backend.origin, found)
      done()
      // A look that fails leaves the old list: the next reply waits for a new one, which will tell what is wrong.
    }, done)
    return one
  }

  function awaitLook(one: Look, signal: AbortSignal): Promise<Entry> {
    one.waiting++
    return new Promise((resolve, reject) => {
      const leave = () => {
        one.waiting--
        if (one.waiting === 0) {
          one.controller.abort()
          looks.delete(one.origin)
        }
        reject(signal.reason)
      }
      if (signal.aborted) return leave()
      signal.addEventListener('abort', leave, { once: true })
      const settled = () => signal.removeEventListener('abort', leave)
      one.entry.finally(settled).then(resolve, reject)
    })
  }

  return {
    async list(backend, signal) {
      let entry = entries.get(backend.origin)
      const age = entry ? clock.now() - entry.atMs : Infinity
      if (!entry || age > staleMs) entry = await awaitLook(look(backend), signal)
      else if (age > freshMs) look(backend)
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
      for (const { controller } of looks.values()) controller.abort()
      looks.clear()
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
