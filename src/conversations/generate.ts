import { ReplaySubject, type Observable } from 'rxjs'
import type { Delta, ReplyEnd, Segment, ServiceEvent, Timings, Turn } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { isolateSubscribers } from '../runtime/isolate-subscribers.ts'
import type { Report } from '../runtime/collaborators/report.ts'
import type { ReplyChanges } from './character.ts'
import type { Resident } from './resident.ts'

/** How one reply outside any conversation is made. */
export interface GenerateOptions extends ReplyChanges {
  /** What was said before, oldest first. */
  history?: readonly Turn[]
  /** Cancels the reply. */
  signal?: AbortSignal
  /** Who says the text, where it matters to the model. */
  speaker?: string
}

export type ReplyResult = ({ ok: true; timings: Timings } & ReplyEnd) | { ok: false; error: LlmError }

/** One reply outside any conversation. It starts at once; whoever comes late still gets everything. */
export interface Reply extends AsyncIterable<string> {
  readonly deltas: Observable<Delta>
  readonly segments: Observable<Segment>
  /** Never rejects. A cancelled reply is not ok, with fault `cancelled`. */
  readonly result: Promise<ReplyResult>
  cancel(): void
}

/** What of its events is everybody's: a reply has no conversation, so it has no states and no caller. */
export function isOfReply({ type }: ServiceEvent): boolean {
  return type.startsWith('RESPONSE_') || type === 'TOOL_CALLED' || type === 'ERROR_OCCURRED'
}

/** The reply to one text, as the only turn of a conversation that nobody listens to. */
export function replyFrom(
  resident: Resident,
  text: string,
  { signal, speaker }: GenerateOptions,
  report: Report,
): Reply {
  const segments = new ReplaySubject<Segment>()
  const deltas = new ReplaySubject<Delta>()
  const { promise: result, resolve } = deferred<ReplyResult>()
  let generated: ReplyEnd | undefined
  let isOver = false

  resident.deltas.subscribe(deltas)
  resident.segments.subscribe(segments)
  resident.events.subscribe((event) => {
    if (event.type === 'RESPONSE_GENERATED') {
      const { text: said, model, backend, cached, fallback, usage, finishReason } = event
      generated = { text: said, model, backend, cached, fallback, usage, finishReason }
    }
  })

  function end(outcome: ReplyResult): void {
    if (isOver) return
    isOver = true
    signal?.removeEventListener('abort', cancel)
    resolve(outcome)
    void resident.leave('left')
  }

  function cancel(): void {
    resident.interrupt()
  }

  resident.ask(text, speaker === undefined ? {} : { speaker }).then(
    ({ ending, error, timings }) => {
      if (ending === 'finished' && generated !== undefined) return end({ ok: true, ...generated, timings })
      if (error === undefined) return end({ ok: false, error: cancelled() })
      const { code, ...facts } = error
      end({ ok: false, error: new LlmError(code, facts) })
    },
    (error: unknown) => end({ ok: false, error: error instanceof LlmError ? error : broken(error) }),
  )
  if (signal?.aborted) cancel()
  else signal?.addEventListener('abort', cancel, { once: true })

  const reply: Omit<Reply, typeof Symbol.asyncIterator> = {
    deltas: isolateSubscribers(deltas, report),
    segments: isolateSubscribers(segments, report),
    result,
    cancel,
  }
  return { ...reply, [Symbol.asyncIterator]: () => textOf(reply, deltas, () => isOver) }
}

/**
 * The text as it comes, each word of it once. An attempt that begins again after words were read cannot take them back:
 * it goes on. Throws LlmError when the reply failed; leaving early cancels it.
 */
async function* textOf(
  { result, cancel }: Pick<Reply, 'result' | 'cancel'>,
  deltas: Observable<Delta>,
  isOver: () => boolean,
): AsyncGenerator<string> {
  const waiting: string[] = []
  let isComplete = false
  let wake = () => {}
  const subscription = deltas.subscribe({
    next({ kind, text, repeated }) {
      if (kind === 'text' && repeated !== true) waiting.push(text)
      wake()
    },
    complete() {
      isComplete = true
      wake()
    },
  })
  try {
    while (true) {
      const text = waiting.shift()
      if (text !== undefined) yield text
      else if (isComplete) break
      else await new Promise<void>((resolve) => (wake = resolve))
    }
    const ended = await result
    if (!ended.ok) throw ended.error
  } finally {
    subscription.unsubscribe()
    if (!isOver()) cancel()
  }
}

function cancelled(): LlmError {
  return new LlmError('internal', { message: 'the reply was cancelled', retryable: false, fault: 'cancelled' })
}

function broken(cause: unknown): LlmError {
  return new LlmError('internal', { message: 'the reply broke unexpectedly', retryable: false, cause })
}

function deferred<Value>() {
  let resolve: (value: Value) => void = () => {}
  const promise = new Promise<Value>((settle) => (resolve = settle))
  return { promise, resolve }
}
