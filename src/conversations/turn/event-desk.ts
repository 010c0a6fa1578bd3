import { Subject, type Observable } from 'rxjs'
import { isRecoverable } from '../../../machines/recoverable.ts'
import type { ConversationEmitted } from '../../../machines/conversation/events.ts'
import type { Clock, Failure, Milliseconds, ServiceEvent, SpeechEvent, Timings } from '../../../machines/vocabulary.ts'
import type { Logger } from '../../runtime/options.ts'
import type { ReplyRecords } from './reply-records.ts'
import type { Settings } from '../../config/config.ts'
import type { TurnOutcome } from './outcome.ts'

export interface EventDeskOptions {
  conversationId: string
  clock: Clock
  records: ReplyRecords
  settings(): Pick<Settings, 'endpointing' | 'interruption'>
  logger: Logger | undefined
  /** Takes every event before anybody who subscribed. */
  take(event: ServiceEvent): void
}

/** Where facts that the chart emits become events: with their moment, their timings and what was heard. */
export class EventDesk {
  readonly #options: EventDeskOptions
  readonly #events = new Subject<ServiceEvent>()
  readonly #awaited = new Map<string, ((outcome: TurnOutcome) => void)[]>()
  #isClosed = false
  /** The turn whose reply is made or spoken, with text and model for its outcome. */
  #current: { turnId: string; replyId: string } | undefined
  #generated: Pick<TurnOutcome, 'text' | 'model' | 'backend'> = { text: '' }
  /** What is known when a reply fails: its event carries neither timings nor more than the code. */
  #failed: { error: Failure; timings: Timings } | undefined
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

  /** An event that is complete as it is. */
  announce(event: ServiceEvent): void {
    this.#options.take(event)
    this.#events.next(event)
    this.#settle(event)
  }

  /** An error outside any turn. */
  fail({ code, message, retryable }: Failure): void {
    const { conversationId, clock } = this.#options
    const recoverable = isRecoverable({ code, retryable })
    this.announce({ type: 'ERROR_OCCURRED', conversationId, atMs: clock.now(), code, message, recoverable })
    this.#warn(code, message)
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

  /** Resolves when the turn has ended, or with the conversation. */
  outcome(turnId: string): Promise<TurnOutcome> {
    return new Promise((resolve) => {
      if (this.#isClosed) resolve(unheard(turnId))
      else this.#awaited.set(turnId, [...(this.#awaited.get(turnId) ?? []), resolve])
    })
  }

  close(): void {
    this.#isClosed = true
    const current = this.#current
    for (const [turnId, waiting] of this.#awaited) {
      const outcome =
        current?.turnId === turnId
          ? { ...unheard(turnId), ...this.#generated, heard: this.#heardOf(current.replyId) }
          : unheard(turnId)
      waiting.forEach((resolve) => resolve(outcome))
    }
    this.#awaited.clear()
    this.#events.complete()
  }

  /** Adds what the chart cannot know. */
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
        this.#current = { turnId, replyId }
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
      case 'RESPONSE_FINISHED':
        return { ...fact, atMs, heard: this.#heardOf(fact.replyId), timings: records.timings(fact.replyId) }
      case 'RESPONSE_INTERRUPTED': {
        const { moments } = records.open(fact.replyId)
        moments.bargeInAtMs = this.#voice?.sinceMs ?? atMs
        if (moments.silentAtMs === undefined || moments.silentAtMs < moments.bargeInAtMs) moments.silentAtMs = atMs
        this.#noteUnfinished(fact.replyId)
        return { ...fact, atMs, heard: this.#heardOf(fact.replyId), timings: records.timings(fact.replyId) }
      }
      case 'ERROR_OCCURRED': {
        const { failure, ...told } = fact
        const heard = this.#heardOf(fact.replyId)
        const timings = records.find(fact.replyId) === undefined ? {} : records.timings(fact.replyId)
        this.#failed = { error: failure, timings }
        this.#noteUnfinished(fact.replyId)
        return { ...told, atMs, ...(heard === '' ? {} : { heard }) }
      }
      case 'BACKCHANNEL_HEARD':
        return null
      default:
        return { ...fact, atMs }
    }
  }

  /** A reply that was cut has said what it has said. */
  #noteUnfinished(replyId: string): void {
    const text = this.#options.records.find(replyId)?.text ?? ''
    if (this.#generated.text === '') this.#generated = { ...this.#generated, text }
  }

  /** Nothing of the caller's voice for so long: it does not belong to what comes now. */
  #isSilentFor(ms: Milliseconds, atMs: Milliseconds): boolean {
    const voice = this.#voice
    return voice === undefined || (voice.endedAtMs !== undefined && atMs - voice.endedAtMs > ms)
  }

  #heardOf(replyId: string): string {
    return this.#options.records.find(replyId)?.ledger.heard() ?? ''
  }

  #settle(event: ServiceEvent): void {
    if (!('turnId' in event) || event.turnId === undefined) return
    const waiting = this.#awaited.get(event.turnId)
    const ended = waiting === undefined ? undefined : this.#outcomeOf(event, event.turnId)
    if (waiting === undefined || ended === undefined) return
    this.#awaited.delete(event.turnId)
    for (const resolve of waiting) resolve(ended)
  }

  #outcomeOf(event: ServiceEvent, turnId: string): TurnOutcome | undefined {
    switch (event.type) {
      case 'RESPONSE_FINISHED':
        return { turnId, ending: 'finished', ...this.#generated, heard: event.heard, timings: event.timings }
      case 'RESPONSE_INTERRUPTED':
        return { turnId, ending: 'interrupted', ...this.#generated, heard: event.heard, timings: event.timings }
      case 'ERROR_OCCURRED': {
        const { code, message, recoverable } = event
        const { error = { code, message, retryable: recoverable }, timings = {} } = this.#failed ?? {}
        return { turnId, ending: 'failed', ...this.#generated, heard: event.heard ?? '', timings, error }
      }
      default:
        return undefined
    }
  }

  #warn(code: string, message: string): void {
    const { logger, conversationId } = this.#options
    logger?.warn({ conversationId, code }, message)
  }
}

/** How a turn ends that the conversation did not live to see. */
function unheard(turnId: string): TurnOutcome {
  return { turnId, ending: 'interrupted', text: '', heard: '', timings: {} }
}
