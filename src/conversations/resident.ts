import { Subject, Subscription, type Observable } from 'rxjs'
import { createActor, type ActorRefFrom } from 'xstate'
import { hasWords } from '../../machines/conversation/caller-words.ts'
import type { ConversationEmitted, ConversationEvent } from '../../machines/conversation/events.ts'
import type { conversationMachine } from '../../machines/conversation/machine.ts'
import type { CloseReason, Delta, Segment, ServiceEvent, SpeechEvent } from '../../machines/vocabulary.ts'
import { followSource } from '../listening/follow-source.ts'
import { createStamps, type Stamps } from '../listening/stamps.ts'
import { demand } from '../runtime/collaborators/check.ts'
import { wordsOf } from '../runtime/collaborators/report.ts'
import { isStream, streamOf } from '../runtime/collaborators/stream-of.ts'
import { reasonOf } from '../generation/tool-words.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import { namesOf, withChanges, type Character, type ConversationChanges } from './character.ts'
import { Gate } from './gate.ts'
import type { ResidentGiven, ResidentHost, ResidentKeeper } from './host.ts'
import { draining, givenText } from './given.ts'
import { hear, type Hearer } from './hearing.ts'
import { createMemory, type Memory } from './memory.ts'
import { Voice } from './voice.ts'
import { Asking, type AskOptions, type SayOptions } from './turn/asking.ts'
import { EventDesk } from './turn/event-desk.ts'
import { Replies, type Replying } from './turn/replies.ts'
import { ReplyRecords } from './turn/reply-records.ts'
import type { TurnOutcome } from './turn/outcome.ts'
import { actorClock } from './world.ts'

/** One life of a conversation in memory: its actor, what it remembers, what it is like and what is attached to it. */
export class Resident implements Hearer, Replying {
  readonly id: string
  readonly actor: ActorRefFrom<typeof conversationMachine>
  readonly desk: EventDesk
  readonly records: ReplyRecords
  readonly voice: Voice
  readonly replies: Replies
  readonly asking: Asking
  readonly isSpoken: boolean
  readonly segments = new Subject<Segment>()
  /** Resolves when what a store kept of it has been read. Never rejects. */
  readonly ready: Promise<void>
  /** Resolves when it is out of memory: its last lines are with the store. Never rejects. */
  readonly gone: Promise<void>
  /** The last moment at which something happened. */
  lastActiveAtMs: number
  lastHeardOutAtMs: number | undefined
  readonly #host: ResidentHost
  readonly #keeper: ResidentKeeper
  readonly #memory: Memory
  readonly #gate = new Gate()
  readonly #sources = new Subscription()
  #character: Character
  /** Of the bus and the wire; a source that is listened to has its own. */
  #stamp: Stamps | undefined
  #attached = 0
  #isIdle = true
  #leaving: AbortController | undefined
  #markReady = () => {}
  #markGone = () => {}
  #opening: Promise<void> | undefined
  /** Why it leaves, once it does. */
  #reason: CloseReason | undefined
  #isOver = false
  #isDraining = false

  constructor(
    id: string,
    { character, history, isSpoken = true }: ResidentGiven,
    host: ResidentHost,
    keeper: ResidentKeeper,
  ) {
    const { clock, logger, archive } = host
    this.id = id
    this.#host = host
    this.#keeper = keeper
    this.#character = character
    this.isSpoken = isSpoken
    this.replies = new Replies(this, logger)
    this.asking = new Asking(this, host)
    this.lastActiveAtMs = clock.now()
    this.ready = new Promise((resolve) => (this.#markReady = resolve))
    this.gone = new Promise((resolve) => (this.#markGone = resolve))
    this.records = new ReplyRecords(clock, () => this.#character)
    this.voice = new Voice({
      clock,
      usual: () => this.#character.sink,
      failed: (failure, cause) => this.desk.fail(failure, cause),
      noted: (message, cause) => logger?.warn({ conversationId: id, error: wordsOf(cause) }, message),
    })
    this.desk = new EventDesk({
      conversationId: id,
      clock,
      records: this.records,
      settings: () => this.#character.settings,
      logger,
      keep: (event) => this.#keep(event),
      publish: host.publish,
    })
    this.actor = createActor(host.machine, {
      id,
      systemId: id,
      input: { conversationId: id, policy: character.policy },
      clock: actorClock(clock),
      ...(host.inspect === undefined ? {} : { inspect: host.inspect }),
    })
    this.#memory = createMemory({
      conversationId: id,
      given: history,
      archive,
      counters: () => {
        const { turns, replies } = this.context
        return { turns, replies }
      },
      onStored: (turnId, durable) => this.send({ type: 'TURN_STORED', turnId, durable }),
      // What is written last is reported when the conversation itself says nothing more.
      report: (failure) => (this.#isOver ? archive?.report(failure, id) : this.desk.fail(failure)),
    })
    this.#follow()
  }

  get events(): Observable<ServiceEvent> {
    return this.desk.events
  }
  get deltas(): Observable<Delta> {
    return this.records.deltas
  }
  get history() {
    return this.#memory.history
  }
  get character() {
    return this.#character
  }
  get context() {
    return this.actor.getSnapshot().context
  }
  get signal(): AbortSignal {
    return (this.#leaving ??= new AbortController()).signal
  }

  /** Nobody speaks, no reply is made or spoken, nothing waits, nothing listens to it or speaks for it. */
  isQuiet(): boolean {
    return this.#attached === 0 && this.isIdle()
  }

  /** Nobody speaks and no reply is made or spoken. */
  isIdle(): boolean {
    return this.#isIdle && this.#gate.isOpen
  }

  /** Takes no new turn from now on. */
  drain(): void {
    this.#isDraining = true
  }

  /** The caller was in the middle of saying something. */
  isStretchOpen(): boolean {
    const { said, voice } = this.context
    return voice !== null || hasWords(said)
  }

  // ------------------------------------------------------------------------------------- what programs do

  /** Hears an event of the bus or the wire, which was parsed already. */
  take(event: SpeechEvent): void {
    this.#stamp ??= createStamps(this.#host.clock)
    this.#hear(this.#stamp(event))
  }

  /** What was said to it could not be read. */
  refuse(message: string): void {
    this.desk.fail({ code: 'bad-input', message, retryable: false })
  }

  listenTo(speech: Observable<SpeechEvent>): Subscription {
    demand(isStream(speech), 'listenTo takes an Observable of speech events')
    const left = (thrown: unknown) =>
      this.#host.report('the speech source failed in unsubscribe', thrown, { conversationId: this.id })
    const source = followSource(
      streamOf(() => speech, left),
      {
        parse: this.#host.parse,
        clock: this.#host.clock,
        hear: (event) => this.#hear(event),
        refuse: (message) => this.refuse(message),
        fail: (thrown) => {
          const message = `the speech source failed: ${reasonOf(thrown)}; subscribe a new one`
          this.desk.fail({ code: 'speech-source', message, retryable: true })
        },
      },
    )
    return this.#attach(source)
  }

  speakTo(sink: SpeechSink): Subscription {
    return this.#attach(this.voice.speakTo(sink))
  }

  async ask(text: string, options: AskOptions = {}): Promise<TurnOutcome> {
    return this.asking.ask(this.#words(text), options)
  }

  async say(text: string, options: SayOptions = {}): Promise<TurnOutcome> {
    return this.asking.say(this.#words(text), options)
  }

  interrupt(reason?: string): void {
    const why = { atMs: this.#host.clock.now(), ...(reason === undefined ? {} : { reason }) }
    this.#gate.pass(() => this.send({ type: 'REPLY_UNWANTED', ...why }))
  }

  configure(changes: ConversationChanges): void {
    const settings = namesOf(changes, { isBeginning: false })
    if (settings.length === 0) return
    this.#character = withChanges(this.#character, changes, this.#host)
    const { policy } = this.#character
    this.send({ type: 'CONVERSATION_CONFIGURED', settings, policy, atMs: this.#host.clock.now() })
  }

  // ------------------------------------------------------------------------------------ its life in memory

  /** Reads what a store kept of it; what is said before that waits. Without a store it is open at once. */
  open(): Promise<void> {
    return (this.#opening ??= this.#open())
  }

  async #open(): Promise<void> {
    const { archive, clock } = this.#host
    const resumed = archive === undefined ? undefined : await this.#memory.open()
    if (this.#isOver) return
    if (resumed !== undefined) {
      const { counters, unfinished } = resumed
      this.send({ type: 'CONVERSATION_RESUMED', ...counters })
      if (unfinished !== undefined) this.desk.tellLeft(unfinished)
    }
    const known = { conversationId: this.id, resumed: resumed === undefined ? 0 : this.history.length }
    this.desk.announce({ type: 'CONVERSATION_OPENED', atMs: clock.now(), ...known })
    this.#keeper.onOpened(this)
    this.#gate.open()
    this.#markReady()
    this.#keeper.onStirred(this)
  }

  /** Ends its run. */
  stop(): void {
    this.send({ type: 'SYSTEM_STOPPED', atMs: this.#host.clock.now() })
  }

  /** Ends what is being said as `left`. What its actor was just about to say is still said. */
  leave(reason: CloseReason): Promise<void> {
    if (this.#reason === undefined) {
      this.#reason = reason
      const isActive = this.actor.getSnapshot().status === 'active'
      this.send({ type: 'CONVERSATION_LEFT', atMs: this.#host.clock.now() })
      if (isActive) this.actor.stop()
      else this.#over(reason)
    }
    return this.gone
  }

  /** Its actor has done all that it had to do. */
  #over(reason: CloseReason): void {
    if (this.#isOver) return
    this.#isOver = true
    const known = { conversationId: this.id, atMs: this.#host.clock.now() }
    this.desk.announce({ type: 'CONVERSATION_CLOSED', ...known, reason })
    this.#leaving?.abort()
    this.#sources.unsubscribe()
    this.desk.close()
    this.#gate.open()
    this.#markReady()
    this.records.close()
    this.segments.complete()
    void this.#memory.close().then(this.#markGone)
  }

  // ---------------------------------------------------------------------------------------- its own actor

  #hear(event: SpeechEvent): void {
    if (this.#isOver) return
    // A turn that is open may be finished; over a reply no new one begins.
    const mayBegin = !this.#isDraining || event.type === 'SYSTEM_STOPPED'
    if (mayBegin || this.actor.getSnapshot().matches('detecting')) hear(this, event, this.#host.clock)
  }

  characterFor(askers: readonly string[]): Character | undefined {
    return this.asking.characterFor(askers)
  }

  noteHeard(replyId: string, text: string): void {
    this.#memory.heard(replyId, text)
  }

  send(event: ConversationEvent): void {
    if (this.actor.getSnapshot().status === 'active') this.actor.send(event)
  }

  whenReady(run: () => void): void {
    this.#gate.pass(run)
  }

  #follow(): void {
    const { actor } = this
    actor.on('*', (fact: ConversationEmitted) => this.desk.tell(fact))
    actor.subscribe({
      next: ({ context, value }) => {
        this.records.keepOnly([context.reply?.replyId, context.speculation?.replyId])
        if ((value === 'idle') === this.#isIdle) return
        this.#isIdle = !this.#isIdle
        this.#keeper.onStirred(this)
      },
      complete: () => this.#ended(),
      // Without this observer XState would throw the error where nothing can catch it.
      error: (error: unknown) => {
        this.#host.logger?.error({ conversationId: this.id, error: wordsOf(error) }, 'the conversation actor broke')
        this.desk.fail({
          code: 'internal',
          message: 'the conversation broke unexpectedly and is over',
          retryable: false,
        })
        this.#ended()
      },
    })
    actor.start()
  }

  /** Words that begin a turn. Throws LlmError `bad-input` for none or too many, `overloaded` where no turn may begin. */
  #words(text: string): string {
    if (this.#isDraining) throw draining()
    return givenText(text, this.#character.settings.limits.utteranceChars)
  }

  #ended(): void {
    if (this.#reason === undefined) this.#keeper.onEnded(this)
    else this.#over(this.#reason)
  }

  /** Takes in an event before anybody else hears of it. */
  #keep(event: ServiceEvent): void {
    this.lastActiveAtMs = event.atMs
    this.#memory.note(event)
    if (event.type === 'RESPONSE_FINISHED') this.lastHeardOutAtMs = event.atMs
    if (event.type === 'RESPONSE_SEGMENT' && this.segments.observed) {
      const { type: _, turnId: __, atMs: ___, ...segment } = event
      this.segments.next(segment)
    }
  }

  /** What stays attached keeps the conversation in memory. */
  #attach(attachment: Subscription): Subscription {
    const count = (change: 1 | -1) => {
      this.#attached += change
      this.#keeper.onStirred(this)
    }
    count(1)
    attachment.add(() => count(-1))
    this.#sources.add(attachment)
    return attachment
  }
}
