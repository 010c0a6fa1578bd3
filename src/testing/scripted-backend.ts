import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'
import { LlmError, type Backend, type BackendEnd, type BackendRecord, type ChatRequest } from '../backends/contract.ts'

/** What goes wrong with a scripted reply. `afterTokens`: deltas that still come, thinking included. */
export type ScriptedFault =
  | { kind: 'http'; status: number }
  | { kind: 'refused' }
  /** Says nothing more, ever. */
  | { kind: 'stall'; afterTokens: number }
  /** The connection drops. */
  | { kind: 'cut'; afterTokens: number }
  /** Ends cleanly, without its end record. */
  | { kind: 'no-end'; afterTokens: number }
  | { kind: 'error-record'; afterTokens: number }
  /** Goes on sending after an abort. */
  | { kind: 'deaf' }

/** One answer of the scripted backend. Its deltas are the matches of `/\s*\S+/gu` in `text`, or `deltas` verbatim. */
export interface ScriptedAnswer {
  text?: string | undefined
  deltas?: readonly string[] | undefined
  /** Thinking deltas that come first, at the same pace. */
  thinking?: readonly string[] | undefined
  /** Functions that it wants called, after its text. Without an `id` they are `call-0`, `call-1`… */
  toolCalls?: readonly { id?: string | undefined; name: string; arguments: unknown }[] | undefined
  /** From the request to its first delta (100). */
  firstTokenMs?: Milliseconds | undefined
  /** From one delta to the next (20). The end record comes with the last one. */
  perTokenMs?: Milliseconds | undefined
  fault?: ScriptedFault | undefined
  /** The reply must have been asked of this model; `mismatches` tells where it was not. */
  model?: string | undefined
}

export interface BackendScript {
  /** The models it has, all of them loaded; the first is the default. Default `['m1']`. */
  models?: readonly string[] | undefined
  /** One per request, in order of arrival; the last serves all further ones. Default: one that says `Yes.` */
  replies?: readonly ScriptedAnswer[] | undefined
  /** Is told of every request that is opened, answered, failed or aborted. */
  note?: ((what: string) => void) | undefined
}

/** What the backend saw of one request. */
export interface ScriptedRequest {
  readonly model: string
  readonly messages: ChatRequest['messages']
  /** Names of the functions that it offered. */
  readonly tools: readonly string[]
  readonly openedAtMs: Milliseconds
  /** When it was over, however it ended; undefined while it runs. */
  closedAtMs?: Milliseconds
  /** The client closed the connection early. */
  aborted: boolean
}

export interface ScriptedBackend extends Backend {
  readonly requests: readonly ScriptedRequest[]
  /** Requests whose reply was meant for another model, as sentences. */
  readonly mismatches: readonly string[]
  /** Timers of replies that go on although nobody listens (fault `deaf`). */
  readonly lingering: number
}

const origin = 'scripted://backend'
type Token = { kind: 'text' | 'thinking'; text: string }

/**
 * A backend that answers by script on a virtual clock. It keeps the contract of `Backend`, but for the fault `deaf`.
 * Requests it refuses count; `models` and `describe` do not.
 */
export function scriptedBackend(script: BackendScript, clock: Clock): ScriptedBackend {
  const models = script.models ?? ['m1']
  const { replies = [], note = () => {} } = script
  const requests: ScriptedRequest[] = []
  const mismatches: string[] = []
  let lingering = 0

  const missing = (model: string) =>
    new LlmError('model-missing', {
      message: `the scripted backend has no model ${model}: list it in backend.models`,
      backend: 'scripted',
      origin,
    })

  const play = (
    answer: ScriptedAnswer,
    seen: ScriptedRequest,
    on: (record: BackendRecord) => void,
    signal: AbortSignal,
  ) =>
    new Promise<BackendEnd>((resolve, reject) => {
      const { fault, firstTokenMs = 100, perTokenMs = 20, toolCalls = [] } = answer
      const calls = toolCalls.map(({ id, name, arguments: given }, at) => {
        return { id: id ?? `call-${at}`, name, arguments: given }
      })
      const tokens = tokensOf(answer)
      const last = Math.min(fault !== undefined && 'afterTokens' in fault ? fault.afterTokens : Infinity, tokens.length)
      let cancel = () => {}

      const close = () => {
        seen.closedAtMs = clock.now()
        signal.removeEventListener('abort', abort)
        if (seen.aborted && fault?.kind === 'deaf') lingering -= 1
      }
      const abort = () => {
        seen.aborted = true
        note('request closed by the client')
        if (fault?.kind === 'deaf') {
          lingering += 1
          return
        }
        cancel()
        close()
        reject(signal.reason)
      }
      const end = () => {
        if (fault?.kind === 'stall') return
        if (fault === undefined && calls.length > 0) {
          on({ type: 'tool-calls', calls })
          if (signal.aborted) return
        }
        close()
        const error = fault === undefined ? undefined : faultAtTheEnd(fault)
        note(error === undefined ? 'reply complete' : `reply ended by fault ${error.fault}`)
        if (error !== undefined) return reject(error)
        const usage = { replyTokens: tokens.length }
        resolve({ model: seen.model, finishReason: calls.length > 0 ? 'tool-calls' : 'stop', usage })
      }
      const send = (index: number) => {
        const token = tokens[index]
        if (token !== undefined && index < last) on({ type: 'delta', ...token })
        // What listens may have aborted at this very delta.
        if (signal.aborted && fault?.kind !== 'deaf') return
        if (index + 1 >= last) return end()
        cancel = clock.schedule(() => send(index + 1), perTokenMs)
      }

      signal.addEventListener('abort', abort)
      on({ type: 'connected' })
      on({ type: 'headers', status: 200 })
      if (signal.aborted) return
      if (fault?.kind === 'stall' && fault.afterTokens === 0) return
      cancel = clock.schedule(() => send(0), firstTokenMs)
    })

  return {
    name: 'scripted',
    origin,
    canAbortPrompt: true,
    requests,
    mismatches,
    get lingering() {
      return lingering
    },
    async stream(request, on, signal) {
      signal.throwIfAborted()
      const index = requests.length
      const answer = replies[Math.min(index, replies.length - 1)] ?? { text: 'Yes.' }
      const { model } = request
      const messages = structuredClone(request.messages)
      const offered = request.toolChoice === 'none' ? [] : (request.tools ?? [])
      const tools = offered.map(({ name }) => name)
      const seen: ScriptedRequest = { model, messages, tools, openedAtMs: clock.now(), aborted: false }
      requests.push(seen)
      note(`request opened: ${model}`)
      if (answer.model !== undefined && answer.model !== model)
        mismatches.push(`request ${index} was asked of ${model}, its reply is meant for ${answer.model}`)
      const error = models.includes(model) ? faultAtOnce(answer.fault, model) : missing(model)
      if (error !== undefined) {
        seen.closedAtMs = clock.now()
        note(`request refused: ${error.message}`)
        throw error
      }
      return play(answer, seen, on, signal)
    },
    models: async () => models.map((name) => ({ name, loaded: true, chat: true })),
    async describe(name) {
      if (!models.includes(name)) throw missing(name)
      return { name, loaded: true, chat: true }
    },
  }
}

function tokensOf({ text = '', deltas, thinking = [] }: ScriptedAnswer): Token[] {
  const texts = deltas ?? text.match(/(?<!\s)\s*\S+/gu) ?? []
  return [
    ...thinking.map((thought): Token => ({ kind: 'thinking', text: thought })),
    ...texts.map((said): Token => ({ kind: 'text', text: said })),
  ]
}

function faultAtOnce(fault: ScriptedFault | undefined, model: string): LlmError | undefined {
  if (fault?.kind === 'refused') {
    const message = 'the scripted backend refused the connection'
    return new LlmError('connection', { message, fault: 'refused', backend: 'scripted', origin })
  }
  if (fault?.kind !== 'http') return undefined
  const { status } = fault
  const facts = { message: `the scripted backend answered ${status}`, status, backend: 'scripted' }
  if (status === 404) return new LlmError('model-missing', { ...facts, message: `model ${model} is missing` })
  if (status === 401 || status === 403) return new LlmError('auth', { ...facts, fault: 'unauthorized', origin })
  if (status === 429) return new LlmError('overloaded', { ...facts, fault: 'rate-limited' })
  if (status === 503) return new LlmError('overloaded', { ...facts, fault: 'busy', origin })
  return new LlmError('http', facts)
}

function faultAtTheEnd({ kind }: ScriptedFault): LlmError | undefined {
  const backend = 'scripted'
  switch (kind) {
    case 'cut':
      return new LlmError('protocol', { message: 'the connection was cut in mid-reply', fault: kind, backend })
    case 'no-end':
      return new LlmError('protocol', { message: 'the reply ended without its end record', fault: kind, backend })
    case 'error-record':
      return new LlmError('http', { message: 'the stream brought an error record', fault: kind, backend })
    default:
      return undefined
  }
}
