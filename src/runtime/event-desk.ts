import { Subject, type Observable } from 'rxjs'
import type { ConversationEmitted } from '../../machines/conversation-events.ts'
import type { Clock, Failure, Milliseconds, ServiceEvent, SpeechEvent } from '../../machines/vocabulary.ts'
import type { Logger } from './options.ts'
import type { ReplyRecords } from './reply-records.ts'
import type { TurnOutcome } from './turn-outcome.ts'

/** Where facts that the chart emits become events: with their moment, their timings and what was heard. */
export interface EventDesk {
  readonly events: Observable<ServiceEvent>
  tell(fact: ConversationEmitted): void
  /** An error outside any turn. */
  fail(failure: Failure): void
  /** Speech counts for the timings: when the caller ended, and when a barge-in began. */
  noteSpeech(event: SpeechEvent): void
  /** Resolves when the turn has ended. */
  outcome(turnId: string): Promise<TurnOutcome>
  close(): void
}

export function createEventDesk({
  conversationId,
  clock,
  records,
  logger,
}: {
  conversationId: string
  clock: Clock
  records: ReplyRecords
  logger: Logger | undefined
}): EventDesk {
  const events = new Subject<ServiceEvent>()
  const awaited = new Map<string, (outcome: TurnOutcome) => void>()
  /** Text and model of the current turn's reply, for the outcome. */
  let generated: Pick<TurnOutcome, 'text' | 'model' | 'backend'> = { text: '' }
  let callerEndedAtMs: Milliseconds | undefined
  let voiceSinceMs: Milliseconds | undefined

  function publish(event: ServiceEvent): void {
    events.next(event)
    settle(event)
  }

  /** Adds what the chart cannot know. */
  function completed(fact: ConversationEmitted): ServiceEvent | null {
    const atMs = clock.now()
    switch (fact.type) {
      case 'RESPONSE_GENERATING': {
        const { moments } = records.open(fact.replyId)
        moments.askedAtMs = atMs
        if (callerEndedAtMs !== undefined) moments.callerEndedAtMs = callerEndedAtMs
        generated = { text: '' }
        voiceSinceMs = undefined
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
        moments.bargeInAtMs = voiceSinceMs ?? atMs
        if (moments.silentAtMs === undefined || moments.silentAtMs < moments.bargeInAtMs) moments.silentAtMs = atMs
        return { ...fact, atMs, heard: heardOf(fact.replyId), timings: records.timings(fact.replyId) }
      }
      case 'ERROR_OCCURRED': {
        const heard = heardOf(fact.replyId)
        return { ...fact, atMs, ...(heard === '' ? {} : { heard }) }
      }
      case 'BACKCHANNEL_HEARD':
        return null
      default:
        return { ...fact, atMs }
    }
  }

  const heardOf = (replyId: string) => records.find(replyId)?.ledger.heard() ?? ''

  function settle(event: ServiceEvent): void {
    if (!('turnId' in event) || event.turnId === undefined) return
    const resolve = awaited.get(event.turnId)
    if (resolve === undefined) return
    const { turnId } = event
    if (event.type === 'RESPONSE_FINISHED')
      resolve({ turnId, ending: 'finished', ...generated, heard: event.heard, timings: event.timings })
    else if (event.type === 'RESPONSE_INTERRUPTED')
      resolve({ turnId, ending: 'interrupted', ...generated, heard: event.heard, timings: event.timings })
    else if (event.type === 'ERROR_OCCURRED') {
      const error = { code: event.code, message: event.message }
      resolve({ turnId, ending: 'failed', ...generated, heard: event.heard ?? '', timings: {}, error })
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
    fail({ code, message, retryable }) {
      const recoverable = code !== 'internal' || retryable
      publish({ type: 'ERROR_OCCURRED', conversationId, atMs: clock.now(), code, message, recoverable })
      logger?.warn({ conversationId, code }, message)
    },
    noteSpeech(event) {
      const atMs = event.atMs ?? clock.now()
      if (event.type === 'SPEECH_STARTED') voiceSinceMs ??= atMs
      if (event.type === 'SPEECH_ENDED') callerEndedAtMs = atMs
      // Without voice activity the transcript is the only sign of when the caller ended.
      if (event.type === 'SPEECH_DETECTED' && voiceSinceMs === undefined) callerEndedAtMs = atMs
    },
    outcome: (turnId) =>
      new Promise((resolve) => {
        awaited.set(turnId, resolve)
      }),
    close() {
      for (const [turnId, resolve] of awaited)
        resolve({ turnId, ending: 'interrupted', ...generated, heard: '', timings: {} })
      awaited.clear()
      events.complete()
    },
  }
}
