import { Subject, Subscription, type Observable } from 'rxjs'
import { createActor, type ActorRefFrom, type InspectionEvent } from 'xstate'
import { hasWords } from '../../machines/conversation/caller-words.ts'
import type { ConversationEmitted, ConversationEvent } from '../../machines/conversation/events.ts'
import type { conversationMachine } from '../../machines/conversation/machine.ts'
import type {
  Clock,
  CloseReason,
  Milliseconds,
  Segment,
  ServiceEvent,
  SpeechEvent,
  Turn,
} from '../../machines/vocabulary.ts'
import type { ReplyConversation } from '../generation/index.ts'
import { expectedSpeechMs } from '../speaking/speech-length.ts'
import type { SpeechParser } from '../listening/parse-speech.ts'
import type { Archive } from '../persistence/archive.ts'
import type { Logger } from '../runtime/options.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import { namesOf, withChanges, type Character, type ConversationChanges } from './character.ts'
import { createGate } from './gate.ts'
import { givenText } from './given.ts'
import { createHearing } from './hearing.ts'
import { createMemory } from './memory.ts'
import { createVoice } from './voice.ts'
import { createEventDesk } from './turn/event-desk.ts'
import { createReplyRecords } from './turn/reply-records.ts'
import { turnMessages, upToWordsOf } from './turn/messages.ts'
import type { TurnOutcome } from './turn/outcome.ts'
import { actorClock, watchFailure, type Embodiment } from './world.ts'

/** One life of a conversation in memory: its actor, what it remembers, what it is like and what is attached to it. */
export interface Resident extends ReplyConversation, Embodiment {
  readonly actor: ActorRefFrom<typeof conversationMachine>
  readonly events: Observable<ServiceEvent>
  readonly deltas: ReturnType<typeof createReplyRecords>['deltas']
  readonly segments: Observable<Segment>
  readonly history: readonly Turn[]
  /** Resolves when what a store kept of it has been read. Never rejects. */
  readonly ready: Promise<void>
  /** The last moment at which something happened. */
  readonly lastActiveAtMs: Milliseconds
  /** Nobody speaks, no reply is made or spoken, nothing waits, nothing listens to it or speaks for it. */
  isQuiet(): boolean
  /** The caller was in the middle of saying something. */
  isStretchOpen(): boolean
  /** Reads what a store kept of it; what is said before that waits. Without a store it is open at once. */
  open(): Promise<void>
  /** Hears an event of a source, which may be anything. */
  hear(event: unknown): void
  /** Hears an event that was parsed already. */
  take(event: SpeechEvent): void
  listenTo(speech: Observable<SpeechEvent>): Subscription
  speakTo(sink: SpeechSink): Subscription
  ask(text: string, options?: { speaker?: string }): Promise<TurnOutcome>
  say(text: string, options?: { protected?: boolean }): Promise<TurnOutcome>
  interrupt(reason?: string): void
  configure(changes: ConversationChanges): void
  stop(): void
  /** Ends what is being said, and resolves when the last lines are with the store. Never rejects. */
  leave(reason: CloseReason): Promise<void>
}

/** What a service lends to its conversations. */
export interface ResidentHost {
  clock: Clock
  logger: Logger | undefined
  archive: Archive | undefined
  parse: SpeechParser
  /** The one chart of the service, provided with its world. */
  machine: typeof conversationMachine
  inspect: ((event: InspectionEvent) => void) | undefined
  /** Takes every event before those who subscribed. */
  publish(event: ServiceEvent): void
  /** What a store kept of it has been read. */
  onOpened(): void
  /** It fell quiet, or is so no longer. */
  onStirred(): void
  /** Its actor is done: stopped, or broken. */
  onEnded(): void
}

export function createResident(
  id: string,
  given: {
    character: Character
    history: readonly Turn[] | undefined
    /** false: nothing is spoken, so nothing hurries, and segments are whole sentences. */
    isHeard?: boolean
  },
  host: ResidentHost,
): Resident {
  const { clock, logger, archive } = host
  let { character } = given
  const segments = new Subject<Segment>()
  const records = createReplyRecords({ clock, character: () => character })
  const gate = createGate()
  const sources = new Subscription()
  let leaving: AbortController | undefined
  const voice = createVoice({ id, clock, logger, usual: () => character.sink ?? null })
  let attached = 0
  let lastHeardOutAtMs: number | null = null
  let lastActiveAtMs = clock.now()
  let asked = 0
  let isLeaving = false
  let left: Promise<void> | undefined

  const actor = createActor(host.machine, {
    id,
    systemId: id,
    input: { conversationId: id, policy: character.policy },
    clock: actorClock(clock),
    ...(host.inspect === undefined ? {} : { inspect: host.inspect }),
  })
  const isAnswering = (replyId: string) => actor.getSnapshot().context.reply?.replyId === replyId

  const desk = createEventDesk({ conversationId: id, clock, records, settings: () => character.settings, logger, take })
  const memory = createMemory({
    conversationId: id,
    given: given.history,
    archive,
    counters() {
      const { turns, replies } = actor.getSnapshot().context
      return { turns, replies, begun: asked }
    },
    onStored: (turnId, durable) => send({ type: 'TURN_STORED', turnId, durable }),
    // What is written last is reported when the conversation itself says nothing more.
    report: (failure) => (isLeaving ? archive?.report(failure, id) : desk.fail(failure)),
  })
  actor.on('*', (fact: ConversationEmitted) => desk.tell(fact))
  actor.subscribe({
    next({ context, value }) {
      records.keepOnly([context.reply?.replyId, context.speculation?.replyId])
      if ((value === 'idle') !== wasIdle) stirred(value === 'idle')
    },
    complete: () => ended(),
  })
  watchFailure(actor, (error) => {
    logger?.error({ conversationId: id, error: String(error) }, 'the conversation actor broke')
    desk.fail({ code: 'internal', message: 'the conversation broke unexpectedly and is over', retryable: false })
    ended()
  })
  let wasIdle = true
  actor.start()

  function take(event: ServiceEvent): void {
    lastActiveAtMs = event.atMs
    memory.note(event)
    if (event.type === 'RESPONSE_FINISHED') lastHeardOutAtMs = event.atMs
    if (event.type === 'RESPONSE_SEGMENT' && segments.observed) {
      const { replyId, index, text, source, gap } = event
      segments.next({ replyId, index, text, source, gap })
    }
    host.publish(event)
  }

  /** A life that leaves by itself ends its actor too. */
  function ended(): void {
    if (!isLeaving) host.onEnded()
  }

  function stirred(isIdle: boolean): void {
    wasIdle = isIdle
    host.onStirred()
  }

  function send(event: ConversationEvent): void {
    if (actor.getSnapshot().status === 'active') actor.send(event)
  }

  /** What stays attached keeps the conversation in memory. */
  function attach(attachment: Subscription): Subscription {
    attached += 1
    host.onStirred()
    attachment.add(() => {
      attached -= 1
      host.onStirred()
    })
    sources.add(attachment)
    return attachment
  }

  const hearing = createHearing({
    id,
    clock,
    logger,
    parse: host.parse,
    desk,
    character: () => character,
    signal: () => (leaving ??= new AbortController()).signal,
    history: () => memory.history,
    lastHeardOutAtMs: () => lastHeardOutAtMs,
    send,
    whenReady: gate.pass,
  })
  const checked = (text: string) => givenText(text, character.settings.limits.utteranceChars)
  let opening: Promise<void> | undefined
  let markReady = () => {}
  const ready = new Promise<void>((resolve) => (markReady = resolve))

  async function read(): Promise<void> {
    const resumed = archive === undefined ? undefined : await memory.open()
    if (isLeaving) return
    if (resumed !== undefined) {
      const { counters, unfinished } = resumed
      asked = counters.begun
      send({ type: 'CONVERSATION_RESUMED', turns: counters.turns, replies: counters.replies })
      if (unfinished !== undefined) desk.tellLeft(unfinished)
    }
    const resumedTurns = resumed === undefined ? 0 : memory.history.length
    desk.announce({ type: 'CONVERSATION_OPENED', conversationId: id, atMs: clock.now(), resumed: resumedTurns })
    host.onOpened()
    gate.open()
    markReady()
    host.onStirred()
  }

  async function leave(reason: CloseReason): Promise<void> {
    isLeaving = true
    send({ type: 'CONVERSATION_LEFT', atMs: clock.now() })
    desk.announce({ type: 'CONVERSATION_CLOSED', conversationId: id, atMs: clock.now(), reason })
    leaving?.abort()
    sources.unsubscribe()
    actor.stop()
    desk.close()
    gate.open()
    markReady()
    records.close()
    segments.complete()
    await memory.close()
  }

  return {
    id,
    actor,
    ready,
    events: desk.events,
    deltas: records.deltas,
    segments,
    get history() {
      return memory.history
    },
    get lastActiveAtMs() {
      return lastActiveAtMs
    },
    get detector() {
      return character.detector
    },
    isStretchOpen() {
      const { said, voice } = actor.getSnapshot().context
      return voice !== null || hasWords(said)
    },
    isQuiet: () => attached === 0 && wasIdle && gate.isOpen,
    open: () => (opening ??= read()),
    hear: hearing.hear,
    take: hearing.take,
    begin: (input) => records.begin(input),
    characterOf: (replyId) => records.open(replyId).character,
    show: (replyId) => records.show(replyId),
    messages(input) {
      const isAhead = input.purpose === 'speculation' && !isAnswering(input.replyId)
      if (isAhead) return [...turnMessages(memory.history), { role: 'user', content: input.text }]
      return turnMessages(upToWordsOf(input.turnId, memory.history))
    },
    onDelta: (delta) => records.onDelta(delta),
    onMark(mark) {
      records.onMark(mark)
      if (mark.type === 'template-tokens')
        logger?.debug({ conversationId: id, count: mark.count }, 'template tokens were left out of a reply')
      if (mark.type === 'calls-refused')
        logger?.debug({ conversationId: id, count: mark.count }, 'a model called functions wrongly and was told')
    },
    /** What the caller has still to hear of a reply: with the player, or cut and held back. */
    unspokenMs(replyId) {
      if (given.isHeard === false) return Number.POSITIVE_INFINITY
      const { reply, speculation } = actor.getSnapshot().context
      const exchange = [reply, speculation].find((one) => one?.replyId === replyId)
      const { charMs } = character.settings.segments
      const heldMs = (exchange?.waiting ?? []).reduce((sum, { text }) => sum + expectedSpeechMs(text, charMs), 0)
      return heldMs + (records.find(replyId)?.ledger.unspokenMs(clock.now()) ?? 0)
    },
    openPlayer(replyId, report) {
      const record = records.open(replyId)
      return voice.open(record, (event) => {
        if (event.type === 'PLAYBACK_FINISHED') memory.heard(replyId, record.ledger.heard())
        report(event)
      })
    },
    listenTo: (speech) => attach(listen(speech)),
    speakTo: (sink) => attach(voice.speakTo(sink)),
    async ask(text, { speaker } = {}) {
      const typed = checked(text)
      return new Promise((resolve) => {
        gate.pass(() => {
          // Words typed while nobody may interrupt wait together, and are answered together.
          const turnId = actor.getSnapshot().context.said.typedTurnId ?? `typed-${(asked += 1)}`
          resolve(desk.outcome(turnId))
          desk.noteTyped()
          const from = speaker === undefined ? {} : { speaker }
          send({ type: 'CALLER_TYPED', text: typed, turnId, atMs: clock.now(), ...from })
        })
      })
    },
    async say(text, options = {}) {
      const announced = checked(text)
      return new Promise((resolve) => {
        gate.pass(() => {
          const turnId = `said-${(asked += 1)}`
          resolve(desk.outcome(turnId))
          const isProtected = options.protected ?? false
          send({ type: 'ANNOUNCEMENT_MADE', text: announced, turnId, protected: isProtected, atMs: clock.now() })
        })
      })
    },
    interrupt: (reason) =>
      gate.pass(() => send({ type: 'REPLY_UNWANTED', atMs: clock.now(), ...(reason === undefined ? {} : { reason }) })),
    configure(changes) {
      const names = namesOf(changes, { isBeginning: false })
      if (names.length === 0) return
      character = withChanges(character, changes, logger)
      send({ type: 'CONVERSATION_CONFIGURED', settings: names, policy: character.policy, atMs: clock.now() })
    },
    stop: () => send({ type: 'SYSTEM_STOPPED', atMs: clock.now() }),
    leave: (reason) => (left ??= leave(reason)),
  }

  function listen(speech: Observable<SpeechEvent>): Subscription {
    return speech.subscribe({
      next: hearing.hear,
      error: (error: unknown) =>
        desk.fail({
          code: 'speech-source',
          message: `the speech source failed: ${nameOf(error)}; subscribe a new one`,
          retryable: true,
        }),
      complete: () => hearing.take({ type: 'SPEECH_ENDED' }),
    })
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown reason'
}
