import type { Clock } from '../../machines/vocabulary.ts'
import {
  LlmError,
  type Backend,
  type BackendEnd,
  type BackendRecord,
  type ChatRequest,
  type ModelInfo,
} from '../../src/backends/contract.ts'

/** What one request gets: steps in order; a number waits that long, an error rejects, an end resolves. */
export type Step = number | 'hang' | BackendRecord | LlmError | Partial<BackendEnd>

export interface ScriptedBackend extends Backend {
  readonly requests: ChatRequest[]
  /** Indices of the requests whose signal was aborted before their end. */
  readonly aborted: number[]
  open: number
}

export const say = (...words: string[]): Step[] => [
  { type: 'connected' },
  ...words.map((text): Step => ({ type: 'delta', kind: 'text', text })),
  {},
]
export const fault = (code: LlmError['code'], facts: Partial<ConstructorParameters<typeof LlmError>[1]> = {}) =>
  new LlmError(code, { message: `scripted ${code}`, ...facts })

/** A backend that does what it is told, on the given clock; the last script serves all further requests. */
export function scriptedBackend(
  clock: Clock,
  scripts: Step[][],
  options: { origin?: string; models?: (string | ModelInfo)[]; canAbortPrompt?: boolean } = {},
): ScriptedBackend {
  const models = (options.models ?? ['m1', 'm2']).map((model) =>
    typeof model === 'string' ? { name: model, loaded: true, contextTokens: 4096 } : model,
  )
  const backend: ScriptedBackend = {
    name: 'scripted',
    origin: options.origin ?? 'http://scripted',
    canAbortPrompt: options.canAbortPrompt ?? true,
    requests: [],
    aborted: [],
    open: 0,
    async models() {
      return models
    },
    async describe(name) {
      return models.find((model) => model.name === name) ?? { name }
    },
    async stream(request, on, signal) {
      const index = backend.requests.push(request) - 1
      const steps = scripts[Math.min(index, scripts.length - 1)] ?? []
      backend.open++
      try {
        for (const step of steps) {
          if (typeof step === 'number' || step === 'hang') await pause(clock, step === 'hang' ? null : step, signal)
          else if (step instanceof LlmError) throw step
          else if ('type' in step) on(step)
          else return { model: request.model, finishReason: 'stop', usage: {}, ...step }
          signal.throwIfAborted()
        }
        throw new LlmError('protocol', { message: 'scripted stream ended without its end record', fault: 'no-end' })
      } catch (error) {
        if (signal.aborted) backend.aborted.push(index)
        throw error
      } finally {
        backend.open--
      }
    },
  }
  return backend
}

function pause(clock: Clock, ms: number | null, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = ms === null ? () => {} : clock.schedule(resolve, ms)
    signal.addEventListener('abort', () => {
      cancel()
      reject(signal.reason)
    })
  })
}
