import { LlmError, systemClock, type Backend, type BackendEnd, type BackendRecord, type Clock } from '../index.ts'
import { scriptedAnswer, type Moment } from './scripted-answers.ts'

export const scriptedModel = 'scripted-responder'

export interface ScriptedResponderOptions {
  clock?: Clock
  /** From one word to the next. Default 45: calm enough to be read along. */
  perWordMs?: number
  /** The moment that it tells. Default: this machine's, in its own time zone. */
  moment?: () => Moment
}

/**
 * Answers where neither a server nor a model can be had, so that a first start is never a dead end. It says of itself
 * that it is no language model. Same contract as every backend: streams words, obeys the signal at once.
 */
export function scriptedResponder(options: ScriptedResponderOptions = {}): Backend {
  const { clock = systemClock, perWordMs = 45, moment = () => momentOf(clock.now()) } = options
  const origin = 'scripted'
  const model = { name: scriptedModel, loaded: true, chat: true }

  function say(text: string, on: (record: BackendRecord) => void, signal: AbortSignal): Promise<BackendEnd> {
    const words = text.match(/(?<!\s)\s*\S+/gu) ?? []
    return new Promise((resolve, reject) => {
      let cancel = () => {}
      const abort = () => {
        cancel()
        reject(signal.reason)
      }
      const next = (at: number) => {
        const word = words[at]
        if (word === undefined) {
          signal.removeEventListener('abort', abort)
          return resolve({ model: scriptedModel, finishReason: 'stop', usage: { replyTokens: words.length } })
        }
        on({ type: 'delta', kind: 'text', text: word })
        // Whoever listens may have aborted at this very word.
        if (!signal.aborted) cancel = clock.schedule(() => next(at + 1), perWordMs)
      }
      signal.addEventListener('abort', abort, { once: true })
      on({ type: 'connected' })
      on({ type: 'headers', status: 200 })
      if (!signal.aborted) cancel = clock.schedule(() => next(0), perWordMs)
    })
  }

  return {
    name: 'scripted',
    origin,
    canAbortPrompt: true,
    async stream(request, on, signal) {
      signal.throwIfAborted()
      if (request.model !== scriptedModel) throw missing(request.model)
      return say(scriptedAnswer(request.messages, moment()), on, signal)
    },
    models: async () => [model],
    async describe(name) {
      if (name !== scriptedModel) throw missing(name)
      return model
    },
  }

  function missing(name: string): LlmError {
    const message = `the scripted responder is no language model and has no ${name}; leave defaultModel out, or start a server`
    return new LlmError('model-missing', { message, backend: 'scripted', origin })
  }
}

/** The service's clock counts from the epoch, so that it can tell the time of day as well. */
function momentOf(nowMs: number): Moment {
  return {
    time: new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' }).format(nowMs),
    day: new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long' }).format(nowMs),
  }
}
