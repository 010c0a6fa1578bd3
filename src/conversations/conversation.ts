import { Subject, Subscription, type Observable } from 'rxjs'
import { createActor, type ActorRefFrom } from 'xstate'
import type { ConversationEmitted, ConversationEvent } from '../../machines/conversation/events.ts'
import { conversationInput, type conversationMachine } from '../../machines/conversation/machine.ts'
import type { Exchange } from '../../machines/conversation/exchange.ts'
import { stoppedWithReply } from '../../machines/tool-calls.ts'
import type { Delta, Segment, ServiceEvent, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import type { Generation } from '../generation/index.ts'
import { reasonOf } from '../generation/tool-words.ts'
import { foldHistory } from '../history/fold-history.ts'
import type { Archive } from '../persistence/archive.ts'
import type { Journal } from '../persistence/journal.ts'
import { createPlayer } from '../speaking/player.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import { expectedSpeechMs } from '../speaking/speech-length.ts'
import { actorClock, provideConversation, watchFailure } from './actors.ts'
import { createEventDesk } from './turn/event-desk.ts'
import { createGate } from './gate.ts'
import { givenHistory, givenText } from './given.ts'
import { createHearing } from './hearing.ts'
import { demand } from '../runtime/collaborators/check.ts'
import { wordsOf } from '../runtime/collaborators/report.ts'
import { guardSink } from '../runtime/collaborators/sink.ts'
import { isStream, streamOf } from '../runtime/collaborators/stream-of.ts'
import { isolateSubscribers } from '../runtime/isolate-subscribers.ts'
import type { ServiceParts } from '../runtime/options.ts'
import { policyOf } from './policy.ts'
import { createReplyRecords } from './turn/reply-records.ts'
import { turnMessages, upToWordsOf } from './turn/messages.ts'
import type { TurnOutcome } from './turn/outcome.ts'

/** One conversation, as a program uses it. */
export interface Conversation {
  readonly id: string
  /** Resolves when what a store kept of it has been read; what is said before that waits. Never rejects. */
  readonly ready: Promise<void>
  /** For the inspector, `waitFor` and tests. */
  readonly actor: ActorRefFrom<typeof conversationMachine>
  readonly events: Observable<ServiceEvent>
  /** Text as it is generated; a higher attempt replaces what lower ones said. None of a speculation. */
  readonly deltas: Observable<Delta>
  readonly segments: Observable<Segment>
  /** What was said and heard. */
  readonly history: readonly Turn[]
  /** Hears a speech source. One that completes means SPEECH_ENDED; one that errors is an ERROR_OCCURRED. */
  listenTo(speech: Observable<SpeechEvent>): Subscription
  /** Speaks through a sink until unsubscribed. A second sink at a time is a `config` error. */
  speakTo(sink: SpeechSink): Subscription
  /** A typed caller turn. Resolves when its reply has ended, however it did; rejects for bad input alone. */
  ask(text: string): Promise<TurnOutcome>
  /** The assistant speaks by itself. Waits until nobody speaks. */
  say(text: string, options?: { protected?: boolean }): Promise<TurnOutcome>
  /** Ends the reply that is made or spoken, protected or not. */
  interrupt(reason?: string): void
  /** Ends the conversation: `stopped`. */
  stop(): Promise<void>
}

/** What the service asks of its conversations beside what programs may. */
export interface HostedConversation extends Conversation {
  hear(event: unknown): void
  /** Leaves without ending: the actor stops where it is. */
  close(): void
}

/** What one conversation may have of its own. */
export interface ConversationOptions {
  /** Instead of the service's sink. `speakTo` replaces it for a while. */
  sink?: SpeechSink
  /** What was said and heard before, for a conversation that goes on and of which no store knows. */
  history?: readonly Turn[]
}

export interface ConversationHost {
  options: ConversationOptions
  parts: ServiceParts
  generation: Generation
  archive: Archive | undefined
  onDetecting(): void
}

export function createConversation(
  id: string,
  { options, parts, generation, archive, onDetecting }: ConversationHost,
): HostedConversation {
  const { settings, clock, logger, report } = parts
  const segments = new Subject<Segment>()
  const records = createReplyRecords({ clock, settings })
  const gate = createGate()
  const life = new AbortController()
  const sources = new Subscription()
  const guarded = (given: SpeechSink) =>
    guardSink(given, {
      failed: (failure, cause) => desk.fail(failure, cause),
      noted: (message, cause) => logger?.warn({ conversationId: id, error: wordsOf(cause) }, message),
    })
  const givenSink = options.sink ?? parts.sink ?? null
  const usualSink = givenSink === null ? null : guarded(givenSink)
  let sink = usualSink
  let hasOwnSink = false
  let history: readonly Turn[] = givenHistory(options.history)
  let lastHeardOutAtMs: number | null = null
  let asked = 0

  const reply = generation.replyLogic({
    id,
    messages(input) {
      records.open(input.replyId)
      const isAhead = input.purpose === 'speculation' && !isAnswering(input.replyId)
      if (isAhead) return [...turnMessages(history), { role: 'user', content: input.text }]
      return turnMessages(upToWordsOf(input.turnId, history))
    },
    onDelta: records.onDelta,
    onMark(mark) {
      records.onMark(mark)
      if (mark.type === 'template-tokens')
        logger?.debug({ conversationId: id, count: mark.count }, 'template tokens were left out of a reply')
      if (mark.type === 'calls-refused')
        logger?.debug({ conversationId: id, count: mark.count }, 'a model called functions wrongly and was told')
    },
    unspokenMs,
  })

  const machine = provideConversation({
    clock,
    detector: parts.detector,
    reply,
    onDetecting,
    openPlayer: (report) => {
      const { reply: exchange } = actor.getSnapshot().context
      const record = records.open(exchange?.replyId ?? '')
      return createPlayer({
        sink: () => sink,
        ledger: record.ledger,
        clock,
        settings,
        report(event) {
          if (event.type === 'PLAYBACK_STARTED') record.moments.firstAudioAtMs ??= clock.now()
          if (event.type === 'PLAYBACK_PAUSED') record.moments.silentAtMs = clock.now()
          if (event.type === 'PLAYBACK_FINISHED') journal?.heard(record.replyId, record.ledger.heard())
          report(event)
        },
      })
    },
  })
  const actor = createActor(machine, {
    id,
    systemId: id,
    input: conversationInput({
      conversationId: id,
      policy: policyOf(settings, { asksDetector: parts.detector !== undefined, keepsTurns: archive !== undefined }),
    }),
    clock: actorClock(clock),
    ...(parts.inspect === undefined ? {} : { inspect: parts.inspect }),
  })
  /** What the caller has still to hear of a reply: with the player, or cut and held back. */
  function unspokenMs(replyId: string): number {
    const { reply: current, speculation } = actor.getSnapshot().context
    const exchange = [current, speculation].find((one) => one?.replyId === replyId)
    const heldMs = (exchange?.waiting ?? []).reduce(
      (sum, { text }) => sum + expectedSpeechMs(text, settings.segments.charMs),
      0,
    )
    return heldMs + (records.find(replyId)?.ledger.unspokenMs(clock.now()) ?? 0)
  }
  const isAnswering = (replyId: string) => actor.getSnapshot().context.reply?.replyId === replyId

  const desk = createEventDesk({ conversationId: id, clock, records, settings, logger })
  const journal = archive?.journal({
    conversationId: id,
    counters: () => {
      const { turns, replies } = actor.getSnapshot().context
      return { turns, replies, begun: asked }
    },
    onStored: (turnId, durable) => send({ type: 'TURN_STORED', turnId, durable }),
    // What is written last is told when the conversation itself tells nothing more.
    report: (failure) => (life.signal.aborted ? archive.report(failure, id) : desk.fail(failure)),
  })
  desk.events.subscribe((event) => {
    history = foldHistory(history, event)
    journal?.tell(event)
    if (event.type === 'RESPONSE_FINISHED') lastHeardOutAtMs = clock.now()
    if (event.type === 'RESPONSE_SEGMENT') {
      const { replyId, index, text, source, gap } = event
      segments.next({ replyId, index, text, source, gap })
    }
  })
  actor.on('*', (fact: ConversationEmitted) => desk.tell(fact))
  actor.subscribe({
    next(snapshot) {
      const { reply: current, speculation } = snapshot.context
      records.keepOnly([current?.replyId, speculation?.replyId])
    },
    complete: close,
  })
  watchFailure(actor, (error) => {
    logger?.error({ conversationId: id, error: wordsOf(error) }, 'the conversation actor broke')
    desk.fail({ code: 'internal', message: 'the conversation broke unexpectedly and is over', retryable: false })
    close()
  })
  actor.start()
  const ready = journal === undefined ? Promise.resolve() : resume(journal)
  if (journal === undefined) gate.open()

  /** Goes on where an earlier run left it. */
  async function resume(from: Journal): Promise<void> {
    const remembered = await from.open()
    if (life.signal.aborted) return
    if (remembered === undefined) from.begin(history)
    else {
      const { counters, unfinished } = remembered
      ;({ history } = remembered)
      asked = counters.begun
      send({ type: 'CONVERSATION_RESUMED', turns: counters.turns, replies: counters.replies })
      if (unfinished !== undefined) desk.tellLeft(unfinished)
    }
    gate.open()
  }

  function close(): void {
    if (life.signal.aborted) return
    const { reply: left } = actor.getSnapshot().context
    if (left !== null) {
      journal?.heard(left.replyId, records.find(left.replyId)?.ledger.heard() ?? '')
      for (const running of left.calls) tellStopped(left, running)
    }
    life.abort()
    sources.unsubscribe()
    actor.stop()
    desk.close()
    gate.open()
    void journal?.close()
    records.close()
    segments.complete()
  }

  /** A function that runs when its program leaves: the next run must know that it was called. */
  function tellStopped({ turnId, replyId }: Exchange, running: Exchange['calls'][number]): void {
    const { call, result, outcome } = stoppedWithReply(running)
    desk.tell({ type: 'TOOL_CALLED', conversationId: id, turnId, replyId, ...call, result, outcome })
  }

  function send(event: ConversationEvent): void {
    if (actor.getSnapshot().status === 'active') actor.send(event)
  }

  const { hear } = createHearing(parts, {
    id,
    desk,
    signal: life.signal,
    history: () => history,
    lastHeardOutAtMs: () => lastHeardOutAtMs,
    send,
    whenReady: gate.pass,
  })

  const checked = (text: string) => givenText(text, settings.limits.utteranceChars)

  return {
    id,
    ready,
    actor,
    events: isolateSubscribers(desk.events, report),
    deltas: isolateSubscribers(records.deltas, report),
    segments: isolateSubscribers(segments, report),
    get history() {
      return history
    },
    hear,
    close,
    listenTo(speech) {
      demand(isStream(speech), 'listenTo takes an Observable of speech events')
      const left = (thrown: unknown) =>
        report('the speech source failed in unsubscribe', thrown, { conversationId: id })
      const source = streamOf(() => speech, left).subscribe({
        next: hear,
        error: (error: unknown) =>
          desk.fail({
            code: 'speech-source',
            message: `the speech source failed: ${reasonOf(error)}; subscribe a new one`,
            retryable: true,
          }),
        complete: () => hear({ type: 'SPEECH_ENDED' }),
      })
      sources.add(source)
      return source
    },
    speakTo(given) {
      if (hasOwnSink)
        throw new LlmError('config', {
          message:
            'this conversation speaks to a sink already; unsubscribe it first, or use `segments` to listen along',
        })
      sink = guarded(given)
      hasOwnSink = true
      return new Subscription(() => {
        hasOwnSink = false
        sink = usualSink
      })
    },
    async ask(text) {
      const typed = checked(text)
      return new Promise((resolve) => {
        gate.pass(() => {
          // Words typed while nobody may interrupt wait together, and are answered together.
          const turnId = actor.getSnapshot().context.said.typedTurnId ?? `typed-${(asked += 1)}`
          resolve(desk.outcome(turnId))
          desk.noteTyped()
          send({ type: 'CALLER_TYPED', text: typed, turnId, atMs: clock.now() })
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
    async stop() {
      send({ type: 'SYSTEM_STOPPED', atMs: clock.now() })
      await journal?.close()
    },
  }
}
