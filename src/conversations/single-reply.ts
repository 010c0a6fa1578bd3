import { ReplaySubject, type Observable } from 'rxjs'
import { createActor, type InspectionEvent } from 'xstate'
import type {
  CallPlace,
  Clock,
  Delta,
  Failure,
  ReplyEnd,
  ReplyReport,
  Segment,
  ServiceEvent,
  Timings,
  ToolCall,
  Turn,
} from '../../machines/vocabulary.ts'
import { stoppedWithReply, type CallAnswer } from '../../machines/tool-calls.ts'
import { LlmError, type ChatMessage } from '../backends/contract.ts'
import type { Settings } from '../config/config.ts'
import type { Generation } from '../generation/index.ts'
import { givenHistory } from './given.ts'
import { actorClock, watchFailure } from './actors.ts'
import { isolateSubscribers } from '../runtime/isolate-subscribers.ts'
import type { Report } from '../runtime/collaborators/report.ts'
import { createReplyRecords } from './turn/reply-records.ts'
import { turnMessages } from './turn/messages.ts'

export interface GenerateOptions {
  /** What was said before, oldest first. */
  history?: readonly Turn[]
  signal?: AbortSignal
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

export interface SingleReplyHost {
  replyId: string
  generation: Generation
  clock: Clock
  settings: Settings
  report: Report
  inspect: ((event: InspectionEvent) => void) | undefined
  publish(event: ServiceEvent): void
}

/** Runs the reply chart by itself. There is no sink: a segment counts as heard when it is cut. */
export function startReply(text: string, options: GenerateOptions, host: SingleReplyHost): Reply {
  const { replyId, generation, clock, settings, inspect, publish } = host
  const { signal } = options
  const history = givenHistory(options.history)
  const segments = new ReplaySubject<Segment>()
  const deltas = new ReplaySubject<Delta>()
  const records = createReplyRecords({ clock, settings })
  const { moments, ledger } = records.open(replyId)
  const messages: ChatMessage[] = [...turnMessages(history), { role: 'user', content: text }]
  const told = () => ({ conversationId: replyId, turnId: replyId, atMs: clock.now() })
  const { promise: result, resolve } = deferred<ReplyResult>()
  let isOver = false
  let running: readonly (ToolCall & CallPlace)[] = []

  const logic = generation.replyLogic({
    id: replyId,
    messages: () => messages,
    onDelta: (delta) => deltas.next(delta),
    onMark: records.onMark,
    // Nothing is spoken, so nothing hurries: whole sentences.
    unspokenMs: () => Number.POSITIVE_INFINITY,
  })
  const actor = createActor(logic, {
    input: { replyId, turnId: replyId, purpose: 'answer', text },
    clock: actorClock(clock),
    id: replyId,
    ...(inspect === undefined ? {} : { inspect }),
  })

  function end(outcome: ReplyResult): void {
    isOver = true
    signal?.removeEventListener('abort', cancel)
    actor.stop()
    resolve(outcome)
    deltas.complete()
    segments.complete()
    records.close()
  }

  function called({ call, result, outcome }: CallAnswer): void {
    running = running.filter(({ id }) => id !== call.id)
    publish({ type: 'TOOL_CALLED', ...told(), replyId, ...call, result, outcome })
  }

  function fail(failure: Failure, cause?: unknown): void {
    if (isOver) return
    const { code, message, ...facts } = failure
    const recoverable = code !== 'config' && code !== 'auth'
    const heard = ledger.heard()
    running.map(stoppedWithReply).forEach(called)
    publish({ type: 'ERROR_OCCURRED', ...told(), code, message, recoverable, ...(heard === '' ? {} : { heard }) })
    end({ ok: false, error: new LlmError(code, { message, ...facts, ...(cause === undefined ? {} : { cause }) }) })
  }

  function cancel(): void {
    if (isOver) return
    const timings = records.timings(replyId)
    running.map(stoppedWithReply).forEach(called)
    publish({ type: 'RESPONSE_INTERRUPTED', ...told(), reason: 'requested', heard: ledger.heard(), timings })
    end({
      ok: false,
      error: new LlmError('internal', { message: 'the reply was cancelled', retryable: false, fault: 'cancelled' }),
    })
  }

  function hear(report: ReplyReport): void {
    if (isOver) return
    switch (report.type) {
      case 'REPLY_SEGMENT':
        if (report.segment.index === 0) {
          moments.firstSegmentAtMs ??= clock.now()
          actor.send({ type: 'REPLY_COMMITTED' })
          publish({ type: 'RESPONSE_STARTED', ...told(), replyId })
        }
        ledger.handed(report.segment)
        ledger.acknowledged(report.segment.index, { type: 'finished' }, clock.now())
        segments.next(report.segment)
        publish({ type: 'RESPONSE_SEGMENT', ...told(), ...report.segment })
        break
      case 'REPLY_DELAYED':
        publish({ type: 'RESPONSE_DELAYED', ...told(), reason: report.reason })
        break
      case 'REPLY_CALLING':
        running = report.calls
        break
      case 'REPLY_CALLED':
        called(report)
        break
      case 'REPLY_ENDED': {
        const { type: _type, ...facts } = report
        const timings = records.timings(replyId)
        publish({ type: 'RESPONSE_GENERATED', ...told(), ...facts, timings, ...records.promptOf(replyId) })
        publish({ type: 'RESPONSE_FINISHED', ...told(), heard: report.text, timings })
        end({ ok: true, ...facts, timings })
        break
      }
      case 'REPLY_FAILED':
        fail(report.error)
        break
      case 'REPLY_RESTARTED':
        break
    }
  }

  actor.on('*', hear)
  watchFailure(actor, (cause) =>
    fail({ code: 'internal', message: 'the reply broke unexpectedly', retryable: false }, cause),
  )
  moments.askedAtMs = clock.now()
  publish({ type: 'RESPONSE_GENERATING', ...told(), replyId })
  if (signal?.aborted) cancel()
  else {
    signal?.addEventListener('abort', cancel, { once: true })
    actor.start()
  }

  return {
    deltas: isolateSubscribers(deltas, host.report),
    segments: isolateSubscribers(segments, host.report),
    result,
    cancel,
    [Symbol.asyncIterator]: () => textOf(deltas),
  }
}

/**
 * The text as it comes, each word of it once. An attempt that begins again after words were read cannot take them back:
 * it goes on.
 */
async function* textOf(deltas: Observable<Delta>): AsyncGenerator<string> {
  const waiting: string[] = []
  let isOver = false
  let wake = () => {}
  const subscription = deltas.subscribe({
    next({ kind, text, repeated }) {
      if (kind === 'text' && repeated !== true) waiting.push(text)
      wake()
    },
    complete() {
      isOver = true
      wake()
    },
  })
  try {
    while (true) {
      const text = waiting.shift()
      if (text !== undefined) yield text
      else if (isOver) return
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    subscription.unsubscribe()
  }
}

function deferred<Value>() {
  let resolve: (value: Value) => void = () => {}
  const promise = new Promise<Value>((settle) => (resolve = settle))
  return { promise, resolve }
}
