import { Subject, type Observable } from 'rxjs'
import type { ConversationEmitted } from '../../../machines/conversation/events.ts'
import type { Clock, Failure, Milliseconds, ServiceEvent, SpeechEvent, Timings } from '../../../machines/vocabulary.ts'
import type { Logger } from '../../runtime/collaborators/logger.ts'
import { wordsOf } from '../../runtime/collaborators/report.ts'
import type { ReplyRecords } from './reply-records.ts'
import type { Settings } from '../../config/config.ts'
import type { TurnOutcome } from './outcome.ts'

/** Where facts that the chart emits become events: with their moment, their timings and what was heard. */
export interface EventDesk {
  readonly events: Observable<ServiceEvent>
  tell(fact: ConversationEmitted): void
  /** An error outside any turn. The cause is for the log. */
  fail(failure: Failure, cause?: unknown): void
  /** A reply of an earlier run that was not over when its program ended. */
  tellLeft(unfinished: { turnId: string; heard: string }): void
  /** Speech counts for the timings: when the caller ended, and when a barge-in began. */
  noteSpeech(event: SpeechEvent): void
  /** Typed words end when they come. */
  noteTyped(): void
  /** Resolves when the turn has ended, or with the conversation. */
  outcome(turnId: string): Promise<TurnOutcome>
  close(): void
}

export function createEventDesk({
  conversationId,
  clock,
  records,
  settings,
  logger,
}: {
  conversationId: string
  clock: Clock
  records: ReplyRecords
  settings: Pick<Settings, 'endpointing' | 'interruption'>
  logger: Logger | undefined
}): EventDesk {
  const events = new Subject<ServiceEvent>()
  const awaited = new Map<string, ((outcome: TurnOutcome) => void)[]>()
  let isClosed = false
  /** The turn whose reply is made or spoken, with text and model for its outcome. */
  let current: { turnId: string; replyId: string } | undefined
  let generated: Pick<TurnOutcome, 'text' | 'model' | 'backend'> = { text: '' }
  /** What is known when a reply fails: its event carries no timings. */
  let failedTimings: Timings = {}
  let callerEndedAtMs: Milliseconds | undefined
  /** The turn committed last, and when its speech ended. */
  let committed: { turnId: string; endedAtMs: Milliseconds | undefined } | undefined
  /** Voice activity since the last reply began, as one possible interruption. */
  let voice: { sinceMs: Milliseconds; endedAtMs?: Milliseconds } | undefined

  function publish(event: ServiceEvent): void {
    events.next(event)
    settle(event)
  }

  /** Adds what the chart cannot know. */
  function completed(fact: ConversationEmitted): ServiceEvent | null {
    const atMs = clock.now()
    switch (fact.type) {
      case 'CALLER_TURN_ENDED':
        committed = { turnId: fact.turnId, endedAtMs: callerEndedAtMs }
        callerEndedAtMs = undefined
        return { ...fact, atMs }
      case 'RESPONSE_GENERATING': {
        const { turnId, replyId } = fact
        const { moments } = records.open(replyId)
        moments.askedAtMs = atMs
        // What the assistant says by itself follows nobody's words.
        if (committed?.turnId === turnId && committed.endedAtMs !== undefined)
          moments.callerEndedAtMs = committed.endedAtMs
        current = { turnId, replyId }
        generated = { text: '' }
        voice = undefined
        return { ...fact, atMs }
      }
      case 'RESPONSE_STARTED':
        records.open(fact.replyId).moments.firstSegmentAtMs ??= atMs
        return { ...fact, atMs }
      case 'RESPONSE_GENERATED':
        generated = { text: fact.text, model: fact.model, backend: fact.backend }
        return { ...fact, atMs, timings: records.timings(fact.replyId), ...records.promptOf(fact.replyId) }
      case 'RESPONSE_FINISHED':
        return { ...fact, atMs, heard: heardOf(fact.replyId), timings: records.timings(fact.replyId) }
      case 'RESPONSE_INTERRUPTED': {
        const { moments } = records.open(fact.replyId)
        moments.bargeInAtMs = voice?.sinceMs ?? atMs
        if (moments.silentAtMs === undefined || moments.silentAtMs < moments.bargeInAtMs) moments.silentAtMs = atMs
        noteUnfinished(fact.replyId)
        return { ...fact, atMs, heard: heardOf(fact.replyId), timings: records.timings(fact.replyId) }
      }
      case 'ERROR_OCCURRED': {
        const heard = heardOf(fact.replyId)
        failedTimings = records.find(fact.replyId) === undefined ? {} : records.timings(fact.replyId)
        noteUnfinished(fact.replyId)
        return { ...fact, atMs, ...(heard === '' ? {} : { heard }) }
      }
      case 'BACKCHANNEL_HEARD':
        return null
      default:
        return { ...fact, atMs }
    }
  }

  /** A reply that was cut has said what it has said. */
  function noteUnfinished(replyId: string): void {
    if (generated.text === '') generated = { ...generated, text: records.find(replyId)?.text ?? '' }
  }

  /** Nothing of the caller's voice for so long: it does not belong to what comes now. */
  function isSilentFor(ms: Milliseconds, atMs: Milliseconds): boolean {
    return voice === undefined || (voice.endedAtMs !== undefined && atMs - voice.endedAtMs > ms)
  }

  const heardOf = (replyId: string) => records.find(replyId)?.ledger.heard() ?? ''

  function settle(event: ServiceEvent): void {
    if (!('turnId' in event) || event.turnId === undefined) return
    const waiting = awaited.get(event.turnId)
    if (waiting === undefined) return
    const { turnId } = event
    const resolve = (outcome: TurnOutcome) => waiting.forEach((one) => one(outcome))
    if (event.type === 'RESPONSE_FINISHED')
      resolve({ turnId, ending: 'finished', ...generated, heard: event.heard, timings: event.timings })
    else if (event.type === 'RESPONSE_INTERRUPTED')
      resolve({ turnId, ending: 'interrupted', ...generated, heard: event.heard, timings: event.timings })
    else if (event.type === 'ERROR_OCCURRED') {
      const error = { code: event.code, message: event.message }
      resolve({ turnId, ending: 'failed', ...generated, heard: event.heard ?? '', timings: failedTimings, error })
    } else return
    awaited.delete(turnId)
  }

  return {
    events: events.asObservable(),
    tell(fact) {
      const event = completed(fact)
      if (event === null) return
      publish(event)
      if (event.type === 'ERROR_OCCURRED') logger?.warn({ conversationId, code: event.code }, event.message)
    },
    fail({ code, message, retryable }, cause) {
      const recoverable = code !== 'internal' || retryable
      publish({ type: 'ERROR_OCCURRED', conversationId, atMs: clock.now(), code, message, recoverable })
      logger?.warn({ conversationId, code, ...(cause === undefined ? {} : { error: wordsOf(cause) }) }, message)
    },
    tellLeft({ turnId, heard }) {
      const atMs = clock.now()
      publish({ type: 'RESPONSE_INTERRUPTED', conversationId, turnId, atMs, reason: 'left', heard, timings: {} })
    },
    noteSpeech(event) {
      const atMs = event.atMs ?? clock.now()
      if (event.type === 'SPEECH_STARTED') {
        const isNew = isSilentFor(settings.interruption.falseAfterMs, atMs)
        voice = { sinceMs: isNew ? atMs : (voice?.sinceMs ?? atMs) }
      }
      if (event.type === 'SPEECH_ENDED') {
        if (voice !== undefined) voice.endedAtMs = atMs
        callerEndedAtMs = atMs
      }
      // Without voice activity the transcript is the only sign of when the caller ended.
      const isTranscript = event.type === 'SPEECH_DETECTED' || event.type === 'SPEECH_PARTIAL'
      if (isTranscript && isSilentFor(settings.endpointing.maxDelayMs, atMs)) callerEndedAtMs = atMs
    },
    noteTyped() {
      callerEndedAtMs = clock.now()
    },
    outcome: (turnId) =>
      new Promise((resolve) => {
        if (isClosed) resolve(unheard(turnId))
        else awaited.set(turnId, [...(awaited.get(turnId) ?? []), resolve])
      }),
    close() {
      isClosed = true
      for (const [turnId, waiting] of awaited) {
        const outcome =
          current?.turnId === turnId
            ? { ...unheard(turnId), ...generated, heard: heardOf(current.replyId) }
            : unheard(turnId)
        waiting.forEach((resolve) => resolve(outcome))
      }
      awaited.clear()
      events.complete()
    },
  }
}

/** How a turn ends that the conversation did not live to see. */
function unheard(turnId: string): TurnOutcome {
  return { turnId, ending: 'interrupted', text: '', heard: '', timings: {} }
}
