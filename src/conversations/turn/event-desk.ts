import { Subject, type Observable } from 'rxjs'
import { isRecoverable } from '../../../machines/recoverable.ts'
import type { ConversationEmitted } from '../../../machines/conversation/events.ts'
import type { Clock, Failure, Milliseconds, ServiceEvent, SpeechEvent } from '../../../machines/vocabulary.ts'
import type { Logger } from '../../runtime/collaborators/logger.ts'
import { wordsOf } from '../../runtime/collaborators/report.ts'
import type { ReplyRecords } from './reply-records.ts'
import type { Settings } from '../../config/config.ts'
import type { TurnOutcome } from './outcome.ts'

export interface EventDeskOptions {
  conversationId: string
  clock: Clock
  records: ReplyRecords
  settings(): Pick<Settings, 'endpointing' | 'interruption'>
  logger: Logger | undefined
  /** Takes in every event at once, in the order in which they happened. */
  keep(event: ServiceEvent): void
  /** Passes every event on, before those who subscribed to the conversation. */
  publish(event: ServiceEvent): void
}

/** Where facts that the chart emits become events: with their moment, their timings and what was heard. */
export class EventDesk {
  readonly #options: EventDeskOptions
  readonly #events = new Subject<ServiceEvent>()
  /** Kept already, but not passed on: a subscriber made something happen meanwhile. */
  readonly #outbox: ServiceEvent[] = []
  #isPublishing = false
  readonly #awaited = new Map<string, (outcome: TurnOutcome) => void>()
  #asked = 0
  #isClosed = false
  /** The reply that was asked for last, with its text and model. */
  #current: string | undefined
  #generated: Pick<TurnOutcome, 'text' | 'model' | 'backend'> = { text: '' }
  #callerEndedAtMs: Milliseconds | undefined
  /** The turn committed last, and when its speech ended. */
  #committed: { turnId: string; endedAtMs: Milliseconds | undefined } | undefined
  /** Voice activity since the last reply began, as one possible interruption. */
  #voice: { sinceMs: Milliseconds; endedAtMs?: Milliseconds } | undefined

  constructor(options: EventDeskOptions) {
    this.#options = options
  }

  get events(): Observable<ServiceEvent> {
    return this.#events
  }

  tell(fact: ConversationEmitted): void {
    const event = this.#completed(fact)
    if (event === null) return
    this.announce(event)
    if (event.type === 'ERROR_OCCURRED') this.#warn(event.code, event.message)
  }

  /** An event that is complete as it is. It goes to all subscribers before the next one, so that all see the same order. */
  announce(event: ServiceEvent): void {
    if (this.#isClosed) return
    this.#options.keep(event)
    this.#outbox.push(event)
    if (this.#isPublishing) return
    this.#isPublishing = true
    for (let next = this.#outbox.shift(); next !== undefined; next = this.#outbox.shift()) {
      this.#options.publish(next)
      this.#events.next(next)
    }
    this.#isPublishing = false
    if (this.#isClosed) this.#events.complete()
  }

  /** An error outside any turn. The cause is for the log. */
  fail({ code, message, retryable }: Failure, cause?: unknown): void {
    const { conversationId, clock } = this.#options
    const recoverable = isRecoverable({ code, retryable })
    this.announce({ type: 'ERROR_OCCURRED', conversationId, atMs: clock.now(), code, message, recoverable })
    this.#warn(code, message, cause)
  }

  /** A reply of an earlier run that was not over when its program ended. */
  tellLeft({ turnId, heard }: { turnId: string; heard: string }): void {
    const { conversationId, clock } = this.#options
    const atMs = clock.now()
    this.announce({ type: 'RESPONSE_INTERRUPTED', conversationId, turnId, atMs, reason: 'left', heard, timings: {} })
  }

  /** Speech counts for the timings: when the caller ended, and when a barge-in began. */
  noteSpeech(event: SpeechEvent): void {
    const { clock, settings } = this.#options
    const { interruption, endpointing } = settings()
    const atMs = event.atMs ?? clock.now()
    if (event.type === 'SPEECH_STARTED') {
      const isNew = this.#isSilentFor(interruption.falseAfterMs, atMs)
      this.#voice = { sinceMs: isNew ? atMs : (this.#voice?.sinceMs ?? atMs) }
    }
    if (event.type === 'SPEECH_ENDED') {
      if (this.#voice !== undefined) this.#voice.endedAtMs = atMs
      this.#callerEndedAtMs = atMs
    }
    // Without voice activity the transcript is the only sign of when the caller ended.
    const isTranscript = event.type === 'SPEECH_DETECTED' || event.type === 'SPEECH_PARTIAL'
    if (isTranscript && this.#isSilentFor(endpointing.maxDelayMs, atMs)) this.#callerEndedAtMs = atMs
  }

  /** Typed words end when they come. */
  noteTyped(): void {
    this.#callerEndedAtMs = this.#options.clock.now()
  }

  /**
   * A key for whoever asks for a turn, and the outcome of that turn. It resolves when the turn ends that the asked words
   * have become, or with the conversation, whatever became of them.
   */
  askFor(): { asker: string; outcome: Promise<TurnOutcome> } {
    const asker = `asker-${(this.#asked += 1)}`
    const outcome = new Promise<TurnOutcome>((resolve) => {
      if (this.#isClosed) resolve(noTurn)
      else this.#awaited.set(asker, resolve)
    })
    return { asker, outcome }
  }

  /** Whoever asked does not wait any more. */
  withdraw(asker: string): void {
    this.#settle([asker], noTurn)
  }

  /** Settles all who still wait. What is being passed on still reaches everybody. */
  close(): void {
    this.#settle(this.#awaited.keys(), noTurn)
    this.#isClosed = true
    if (!this.#isPublishing) this.#events.complete()
  }

  /** Adds what the chart cannot know, and settles whoever waited for the end of a turn. */
  #completed(fact: ConversationEmitted): ServiceEvent | null {
    const { clock, records } = this.#options
    const atMs = clock.now()
    switch (fact.type) {
      case 'CALLER_TURN_ENDED':
        this.#committed = { turnId: fact.turnId, endedAtMs: this.#callerEndedAtMs }
        this.#callerEndedAtMs = undefined
        return { ...fact, atMs }
      case 'RESPONSE_GENERATING': {
        const { turnId, replyId } = fact
        const { moments } = records.open(replyId)
        moments.askedAtMs = atMs
        // What the assistant says by itself follows nobody's words.
        const committed = this.#committed
        if (committed?.turnId === turnId && committed.endedAtMs !== undefined)
          moments.callerEndedAtMs = committed.endedAtMs
        this.#current = replyId
        this.#generated = { text: '' }
        this.#voice = undefined
        return { ...fact, atMs }
      }
      case 'RESPONSE_STARTED':
        records.open(fact.replyId).moments.firstSegmentAtMs ??= atMs
        return { ...fact, atMs }
      case 'RESPONSE_GENERATED':
        this.#generated = { text: fact.text, model: fact.model, backend: fact.backend }
        return { ...fact, atMs, timings: records.timings(fact.replyId), ...records.promptOf(fact.replyId) }
      case 'RESPONSE_FINISHED': {
        const { askers, ...told } = fact
        const end = { heard: this.#heardOf(fact.replyId), timings: records.timings(fact.replyId) }
        this.#settle(askers, { turnId: fact.turnId, ending: 'finished', ...this.#generated, ...end })
        return { ...told, atMs, ...end }
      }
      case 'RESPONSE_INTERRUPTED': {
        const { askers, ...told } = fact
        const { moments } = records.open(fact.replyId)
        moments.bargeInAtMs = this.#voice?.sinceMs ?? atMs
        if (moments.silentAtMs === undefined || moments.silentAtMs < moments.bargeInAtMs) moments.silentAtMs = atMs
        const end = { heard: this.#heardOf(fact.replyId), timings: records.timings(fact.replyId) }
        this.#settle(askers, { turnId: fact.turnId, ending: 'interrupted', ...this.#saidSoFar(fact.replyId), ...end })
        return { ...told, atMs, ...end }
      }
      case 'ERROR_OCCURRED': {
        const { askers, failure, ...told } = fact
        const heard = this.#heardOf(fact.replyId)
        const timings = records.find(fact.replyId) === undefined ? {} : records.timings(fact.replyId)
        const end = { heard, timings, error: failure }
        this.#settle(askers, { turnId: fact.turnId, ending: 'failed', ...this.#saidSoFar(fact.replyId), ...end })
        return { ...told, atMs, ...(heard === '' ? {} : { heard }) }
      }
      case 'BACKCHANNEL_HEARD':
        return null
      default:
        return { ...fact, atMs }
    }
  }

  /** A reply that was cut has said what it has said. */
  #saidSoFar(replyId: string): Pick<TurnOutcome, 'text' | 'model' | 'backend'> {
    const known = replyId === this.#current ? this.#generated : { text: '' }
    return known.text === '' ? { ...known, text: this.#options.records.find(replyId)?.text ?? '' } : known
  }

  /** Nothing of the caller's voice for so long: it does not belong to what comes now. */
  #isSilentFor(ms: Milliseconds, atMs: Milliseconds): boolean {
    const voice = this.#voice
    return voice === undefined || (voice.endedAtMs !== undefined && atMs - voice.endedAtMs > ms)
  }

  #heardOf(replyId: string): string {
    return this.#options.records.find(replyId)?.ledger.heard() ?? ''
  }

  #settle(askers: Iterable<string>, outcome: TurnOutcome): void {
    for (const asker of askers) {
      this.#awaited.get(asker)?.(outcome)
      this.#awaited.delete(asker)
    }
  }

  #warn(code: string, message: string, cause?: unknown): void {
    const { logger, conversationId } = this.#options
    logger?.warn({ conversationId, code, ...(cause === undefined ? {} : { error: wordsOf(cause) }) }, message)
  }
}

/** What becomes of words that the conversation did not live to take for a turn. */
const noTurn: TurnOutcome = { ending: 'interrupted', text: '', heard: '', timings: {} }
