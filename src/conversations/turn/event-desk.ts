import { Subject, type Observable } from 'rxjs'
import type { ConversationEmitted } from '../../../machines/conversation/events.ts'
import type { Exchange } from '../../../machines/conversation/exchange.ts'
import type { Clock, Failure, Milliseconds, ServiceEvent, SpeechEvent } from '../../../machines/vocabulary.ts'
import type { Logger } from '../../runtime/options.ts'
import type { ReplyRecords } from './reply-records.ts'
import type { Settings } from '../../config/config.ts'
import type { TurnOutcome } from './outcome.ts'

/** Where facts that the chart emits become events: with their moment, their timings and what was heard. */
export interface EventDesk {
  readonly events: Observable<ServiceEvent>
  tell(fact: ConversationEmitted): void
  /** An error outside any turn. */
  fail(failure: Failure): void
  /** A reply of an earlier run that was not over when its program ended. */
  tellLeft(unfinished: { turnId: string; heard: string }): void
  /** Speech counts for the timings: when the caller ended, and when a barge-in began. */
  noteSpeech(event: SpeechEvent): void
  /** Typed words end when they come. */
  noteTyped(): void
  /**
   * A key for whoever asks for a turn, and the outcome of that turn. It resolves when the turn ends that the asked
   * words have become, or with the conversation, whatever became of them.
   */
  askFor(): { asker: string; outcome: Promise<TurnOutcome> }
  /** Settles all who still wait; those of the reply that is left learn what was heard of it. */
  close(left: Exchange | null): void
}

export function createEventDesk({
  conversationId,
  clock,
  records,
  settings,
  logger,
  keep,
}: {
  conversationId: string
  /** Called with each event before anybody else, in the order in which they happened. */
  keep: (event: ServiceEvent) => void
  clock: Clock
  records: ReplyRecords
  settings: Pick<Settings, 'endpointing' | 'interruption'>
  logger: Logger | undefined
}): EventDesk {
  const events = new Subject<ServiceEvent>()
  /** Told already, but not to all subscribers: one of them made something happen meanwhile. */
  const outbox: ServiceEvent[] = []
  let isPublishing = false
  const awaited = new Map<string, (outcome: TurnOutcome) => void>()
  let asked = 0
  let isClosed = false
  /** The reply that was told of last, with its text and model. */
  let current: string | undefined
  let generated: Pick<TurnOutcome, 'text' | 'model' | 'backend'> = { text: '' }
  let callerEndedAtMs: Milliseconds | undefined
  /** The turn committed last, and when its speech ended. */
  let committed: { turnId: string; endedAtMs: Milliseconds | undefined } | undefined
  /** Voice activity since the last reply began, as one possible interruption. */
  let voice: { sinceMs: Milliseconds; endedAtMs?: Milliseconds } | undefined

  /** To all subscribers one event after the other, so that each of them sees the same order. */
  function publish(event: ServiceEvent): void {
    if (isClosed) return
    keep(event)
    outbox.push(event)
    if (isPublishing) return
    isPublishing = true
    for (let next = outbox.shift(); next !== undefined; next = outbox.shift()) events.next(next)
    isPublishing = false
    if (isClosed) events.complete()
  }

  function settle(askers: Iterable<string>, outcome: TurnOutcome): void {
    for (const asker of askers) {
      awaited.get(asker)?.(outcome)
      awaited.delete(asker)
    }
  }

  /** Adds what the chart cannot know, and settles whoever waited for the end of a turn. */
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
        generated = { text: '' }
        current = replyId
        voice = undefined
        return { ...fact, atMs }
      }
      case 'RESPONSE_STARTED':
        records.open(fact.replyId).moments.firstSegmentAtMs ??= atMs
        return { ...fact, atMs }
      case 'RESPONSE_GENERATED':
        generated = { text: fact.text, model: fact.model, backend: fact.backend }
        return { ...fact, atMs, timings: records.timings(fact.replyId), ...records.promptOf(fact.replyId) }
      case 'RESPONSE_FINISHED': {
        const { askers, ...told } = fact
        const end = { heard: heardOf(fact.replyId), timings: records.timings(fact.replyId) }
        settle(askers, { turnId: fact.turnId, ending: 'finished', ...generated, ...end })
        return { ...told, atMs, ...end }
      }
      case 'RESPONSE_INTERRUPTED': {
        const { askers, ...told } = fact
        const { moments } = records.open(fact.replyId)
        moments.bargeInAtMs = voice?.sinceMs ?? atMs
        if (moments.silentAtMs === undefined || moments.silentAtMs < moments.bargeInAtMs) moments.silentAtMs = atMs
        const end = { heard: heardOf(fact.replyId), timings: records.timings(fact.replyId) }
        settle(askers, { turnId: fact.turnId, ending: 'interrupted', ...saidSoFar(fact.replyId), ...end })
        return { ...told, atMs, ...end }
      }
      case 'ERROR_OCCURRED': {
        const { askers, ...told } = fact
        const heard = heardOf(fact.replyId)
        const timings = records.find(fact.replyId) === undefined ? {} : records.timings(fact.replyId)
        const end = { heard, timings, error: { code: fact.code, message: fact.message } }
        settle(askers, { turnId: fact.turnId, ending: 'failed', ...saidSoFar(fact.replyId), ...end })
        return { ...told, atMs, ...(heard === '' ? {} : { heard }) }
      }
      case 'BACKCHANNEL_HEARD':
        return null
      default:
        return { ...fact, atMs }
    }
  }

  /** A reply that was cut has said what it has said. */
  function saidSoFar(replyId: string): typeof generated {
    const known = replyId === current ? generated : { text: '' }
    return known.text === '' ? { ...known, text: records.find(replyId)?.text ?? '' } : known
  }

  /** Nothing of the caller's voice for so long: it does not belong to what comes now. */
  function isSilentFor(ms: Milliseconds, atMs: Milliseconds): boolean {
    return voice === undefined || (voice.endedAtMs !== undefined && atMs - voice.endedAtMs > ms)
  }

  const heardOf = (replyId: string) => records.find(replyId)?.ledger.heard() ?? ''

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
    askFor() {
      const asker = `asker-${(asked += 1)}`
      const outcome = new Promise<TurnOutcome>((resolve) => {
        if (isClosed) resolve(noTurn)
        else awaited.set(asker, resolve)
      })
      return { asker, outcome }
    },
    close(left) {
      if (left !== null) {
        const { turnId, replyId, askers } = left
        const end = { heard: heardOf(replyId), timings: records.timings(replyId) }
        settle(askers, { turnId, ending: 'interrupted', ...saidSoFar(replyId), ...end })
      }
      settle(awaited.keys(), noTurn)
      isClosed = true
      if (!isPublishing) events.complete()
    },
  }
}

/** What becomes of words that the conversation did not live to take for a turn. */
const noTurn: TurnOutcome = { ending: 'interrupted', text: '', heard: '', timings: {} }
