import { z } from 'zod'
import type { Clock } from '../../../machines/vocabulary.ts'
import { LlmError, type Backend, type BackendEnd, type BackendRecord, type ModelInfo } from '../../backends/contract.ts'
import { demand, hasMethods, mayHaveMethods, property } from './check.ts'
import { inTime } from './in-time.ts'
import { createOutages } from './isolate.ts'
import type { Report } from './report.ts'

const countMs = 500

/**
 * A backend that a program brings, held to its contract: nothing that it does or tells throws where nobody listens, and
 * what it rejects with is an LlmError. What it should not do is reported too, since another model or an estimate may
 * stand in unheard. It has no time-out here either; only a count is waited for no longer than 500 ms.
 */
export function guardBackend(backend: Backend, clock: Clock, report: Report): Backend {
  const { name, origin } = backend
  const isBackend = hasMethods(backend, 'stream', 'models', 'describe') && typeof name === 'string'
  demand(isBackend && typeof origin === 'string', 'backend must have name, origin, stream, models and describe')
  demand(mayHaveMethods(backend, 'countTokens', 'prewarm', 'close'), 'the methods of a backend must be functions')

  const outages = createOutages((method, thrown) => report(`the backend failed in ${method}`, thrown))

  /** Also what throws at once is a rejection, and every rejection is an LlmError or the signal's reason. */
  async function typed<T>(method: string, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    try {
      const value = await run()
      outages.over(method)
      return value
    } catch (cause) {
      if (signal.aborted || (cause instanceof LlmError && !(cause instanceof Odd))) throw cause
      outages.begin(method, cause)
      if (cause instanceof Odd) throw cause
      throw new LlmError('internal', { message: `the backend threw in ${method}; see the cause`, backend: name, cause })
    }
  }

  /** Ends with the first record that is none: what it calls `on` from may be a callback that nobody guards. */
  function relayed(on: (record: BackendRecord) => void, run: (on: (record: unknown) => void) => Promise<unknown>) {
    return new Promise<unknown>((resolve, reject) => {
      let isOver = false
      const end = (settle: () => void) => {
        isOver = true
        settle()
      }
      const hear = (given: unknown) => {
        if (isOver) return
        const record = recordOf(given)
        if (record === undefined) end(() => reject(new Odd('reported something that is no record')))
        else on(record)
      }
      run(hear).then(
        (value) => end(() => resolve(value)),
        (error: unknown) => end(() => reject(error)),
      )
    })
  }

  return {
    name,
    origin,
    get canAbortPrompt() {
      return backend.canAbortPrompt
    },
    stream: (request, on, signal) =>
      typed('stream', signal, async () => {
        const end = endOf(await relayed(on, async (hear) => backend.stream(request, hear, signal)), request.model)
        if (end === undefined) throw new Odd('ended a stream without an end record that has a finishReason')
        return end
      }),
    models: (signal) =>
      typed('models', signal, async () => {
        const list: unknown = await backend.models(signal)
        const models = Array.isArray(list) ? list.flatMap((model: unknown) => modelOf(model) ?? []) : []
        if (!Array.isArray(list) || (models.length === 0 && list.length > 0)) throw new Odd('gave no list of models')
        return models
      }),
    describe: (model, signal) =>
      typed('describe', signal, async () => {
        const info = modelOf(await backend.describe(model, signal))
        if (info === undefined) throw new Odd('described no model')
        return info
      }),
    ...(backend.countTokens === undefined
      ? {}
      : {
          countTokens: (model, text, signal = new AbortController().signal) =>
            typed('countTokens', signal, async () => {
              const limits = { clock, ms: countMs, signal }
              const tokens = await inTime(limits, (own) => backend.countTokens?.(model, text, own))
              if (isCount(tokens)) return tokens
              throw new Odd('counted something else than tokens')
            }),
        }),
    ...(backend.prewarm === undefined
      ? {}
      : {
          prewarm: (request, signal) => typed('prewarm', signal, async () => backend.prewarm?.(request, signal)),
        }),
  }
}

/** Not what the contract says. */
class Odd extends LlmError {
  constructor(what: string) {
    super('protocol', { message: `the backend ${what}; see the type Backend` })
  }
}

const Known = z.discriminatedUnion('type', [
  z.object({ type: z.literal('connected') }),
  z.object({ type: z.literal('headers'), status: z.number() }),
  z.object({ type: z.literal('delta'), kind: z.enum(['text', 'thinking']), text: z.string() }),
  z.object({ type: z.literal('calling') }),
  // The arguments go back to the backend, and into history.
  z.object({
    type: z.literal('tool-calls'),
    calls: z.object({ id: z.string(), name: z.string(), arguments: z.unknown().refine(isWritable) }).array(),
  }),
])

/** undefined: it is none. */
function recordOf(given: unknown): BackendRecord | undefined {
  try {
    return Known.safeParse(given).data
  } catch {
    // A getter that throws.
    return undefined
  }
}

function isWritable(value: unknown): boolean {
  try {
    JSON.stringify(value)
    return true
  } catch {
    return false
  }
}

const reasons = ['stop', 'length', 'tool-calls', 'content-filter'] as const

/** Statistics of an odd type are left out; without a reason it is no end. */
function endOf(given: unknown, asked: string): BackendEnd | undefined {
  const reason = property(given, 'finishReason')
  const finishReason = reasons.find((one) => one === reason)
  if (finishReason === undefined) return undefined
  const model = property(given, 'model')
  return {
    model: typeof model === 'string' ? model : asked,
    finishReason,
    usage: countsOf(property(given, 'usage'), 'promptTokens', 'cachedPromptTokens', 'replyTokens'),
    ...countsOf(given, 'loadMs', 'promptMs', 'replyMs'),
  }
}

/** undefined: an entry without a name. */
function modelOf(given: unknown): ModelInfo | undefined {
  const name = property(given, 'name')
  if (typeof name !== 'string' || name === '') return undefined
  const flag = (what: string) => {
    const value = property(given, what)
    return typeof value === 'boolean' ? { [what]: value } : {}
  }
  return {
    name,
    ...flag('loaded'),
    ...flag('chat'),
    ...countsOf(given, 'contextTokens', 'trainedContextTokens', 'sizeBytes'),
  }
}

function countsOf(given: unknown, ...names: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = property(given, name)
      return isCount(value) ? [[name, value]] : []
    }),
  )
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < Infinity
}
