import type { Observable, Subscription } from 'rxjs'
import type { ActorRefFrom } from 'xstate'
import type { conversationMachine } from '../../machines/conversation/machine.ts'
import type { Delta, Segment, ServiceEvent, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import { isolateSubscribers } from '../runtime/isolate-subscribers.ts'
import type { Report } from '../runtime/collaborators/report.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import type { ConversationChanges } from './character.ts'
import type { Resident } from './resident.ts'
import type { AskOptions, SayOptions } from './turn/asking.ts'
import type { TurnOutcome } from './turn/outcome.ts'

/**
 * One conversation, as a program uses it. It may leave memory and come back: `ask`, `say`, `listenTo` and `speakTo` open
 * it anew, and the rest shows its newest life.
 */
export interface Conversation {
  readonly id: string
  /** Resolves when what a store kept of it has been read; what is said before that waits. Never rejects. */
  readonly ready: Promise<void>
  /** For the inspector, `waitFor` and tests. */
  readonly actor: ActorRefFrom<typeof conversationMachine>
  /** Completes when the conversation leaves memory. Never errors. */
  readonly events: Observable<ServiceEvent>
  /** Text as it is generated; a higher attempt replaces what lower ones said. None of a speculation. */
  readonly deltas: Observable<Delta>
  readonly segments: Observable<Segment>
  /** The newest turns: what was said and heard, oldest first. Frozen. */
  readonly history: readonly Turn[]
  /** Hears a speech source. One that completes means SPEECH_ENDED; one that errors is an ERROR_OCCURRED. */
  listenTo(speech: Observable<SpeechEvent>): Subscription
  /** Speaks through a sink until unsubscribed. A second sink at a time is a `config` error. */
  speakTo(sink: SpeechSink): Subscription
  /**
   * A typed caller turn. Resolves when the reply to these words has ended, however it did, or with the conversation;
   * rejects with LlmError for bad input, a service that drains, and one without room. Words typed while nobody may interrupt are
   * answered together, in one turn.
   */
  ask(text: string, options?: AskOptions): Promise<TurnOutcome>
  /** The assistant speaks by itself. Waits until nobody speaks. */
  say(text: string, options?: SayOptions): Promise<TurnOutcome>
  /** Ends the reply that is made or spoken, protected or not. The caller's words are never lost. */
  interrupt(reason?: string): void
  /** Behaves by other settings from the next reply on. Throws `config` for a key or a value that is not allowed. */
  configure(changes: ConversationChanges): void
  /** Leaves memory: what is being said ends as `left`, and a store keeps what was said. Resolves when that is written. */
  close(): Promise<void>
  /** Ends: the run is over, and with it what `listenTo` and `speakTo` attached. */
  stop(): Promise<void>
}

/** What a conversation asks of those who know which ids are in memory. */
export interface ConversationKeeper {
  /** The life that the id has now, if it has one. */
  find(id: string): Resident | undefined
  /** The life that the id has now; opens it where it has none. undefined: the service is closed. Throws LlmError. */
  wanted(id: string): Resident | undefined
  /** Resolves when it is out of memory. */
  leave(resident: Resident): Promise<void>
  stop(resident: Resident): Promise<void>
}

/** The conversation of an id. It keeps nothing but its newest life, so that it costs next to nothing while it is idle. */
export class ConversationOfId implements Conversation {
  readonly id: string
  readonly #keeper: ConversationKeeper
  readonly #report: Report
  #newest: Resident

  constructor(first: Resident, keeper: ConversationKeeper, report: Report) {
    this.id = first.id
    this.#newest = first
    this.#keeper = keeper
    this.#report = report
  }

  /** The life that it has now, or the one that it had last. */
  get #now(): Resident {
    return (this.#newest = this.#keeper.find(this.id) ?? this.#newest)
  }

  /** The life that it has now; it begins one where it has none. */
  get #wanted(): Resident {
    return (this.#newest = this.#keeper.wanted(this.id) ?? this.#newest)
  }

  get ready() {
    return this.#now.ready
  }
  get actor() {
    return this.#now.actor
  }
  get events() {
    return isolateSubscribers(this.#now.events, this.#report)
  }
  get deltas() {
    return isolateSubscribers(this.#now.deltas, this.#report)
  }
  get segments() {
    return isolateSubscribers(this.#now.segments, this.#report)
  }
  get history() {
    return this.#now.history
  }
  listenTo(speech: Observable<SpeechEvent>) {
    return this.#wanted.listenTo(speech)
  }
  speakTo(sink: SpeechSink) {
    return this.#wanted.speakTo(sink)
  }
  async ask(text: string, options?: AskOptions) {
    return this.#wanted.ask(text, options)
  }
  async say(text: string, options?: SayOptions) {
    return this.#wanted.say(text, options)
  }
  interrupt(reason?: string) {
    this.#now.interrupt(reason)
  }
  configure(changes: ConversationChanges) {
    this.#wanted.configure(changes)
  }
  close() {
    return this.#keeper.leave(this.#now)
  }
  stop() {
    return this.#keeper.stop(this.#now)
  }
}
