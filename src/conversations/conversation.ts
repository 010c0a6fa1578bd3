import { Subject, Subscription, type Observable } from 'rxjs'
import { createActor, type ActorRefFrom } from 'xstate'
import type { ConversationEmitted, ConversationEvent } from '../../machines/conversation/events.ts'
import { conversationInput, type conversationMachine } from '../../machines/conversation/machine.ts'
import type { Exchange } from '../../machines/conversation/exchange.ts'
import { stoppedWithReply } from '../../machines/tool-calls.ts'
import type { Delta, Segment, ServiceEvent, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import type { Generation } from '../generation/index.ts'
import { foldHistory } from '../history/fold-history.ts'
import type { Archive } from '../persistence/archive.ts'
import type { Journal } from '../persistence/journal.ts'
import { createPlayer } from '../speaking/player.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import { expectedSpeechMs } from '../speaking/speech-length.ts'
import { actorClock, provideConversation } from './actors.ts'
import { createEventDesk } from './turn/event-desk.ts'
import { createGate } from './gate.ts'
import { givenHistory, givenText } from './given.ts'
import { createHearing } from './hearing.ts'
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
  /**
   * A typed caller turn. Resolves when the reply to these words has ended, or with the conversation; rejects with
   * `bad-input` alone. Words typed while nobody may interrupt are answered together, in one turn.
   */
  ask(text: string): Promise<TurnOutcome>
  /** The assistant speaks by itself. Waits until nobody speaks. */
  say(text: string, options?: { protected?: boolean }): Promise<TurnOutcome>
  /** Ends the reply that is made or spoken, protected or not, and nothing else: the caller's words stay. */
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
  const { settings, clock, logger } = parts
  const segments = new Subject<Segment>()
  const records = createReplyRecords({ clock, settings })
  const gate = createGate()
  const life = new AbortController()
  const sources = new Subscription()
  const usualSink = options.sink ?? parts.sink ?? null
  let sink = usualSink
  let hasOwnSink = false
  let history: readonly Turn[] = givenHistory(options.history)
  let lastHeardOutAtMs: number | null = null

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
    openPlayer: (replyId, report) => {
      const record = records.open(replyId)
      return createPlayer({
        sink: () => sink,
        ledger: record.ledger,
        clock,
        settings,
        warn: (message, cause) => logger?.warn({ conversationId: id, cause: String(cause) }, message),
        report(event) {
          if (event.type === 'PLAYBACK_STARTED') record.moments.firstAudioAtMs ??= clock.now()
          if (event.type === 'PLAYBACK_PAUSED') record.moments.silentAtMs = clock.now()
          if (event.type === 'PLAYBACK_FINISHED') journal?.heard(replyId, record.ledger.heard())
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

  const desk = createEventDesk({ conversationId: id, clock, records, settings, logger, keep })
  const journal = archive?.journal({
    conversationId: id,
    counters: () => {
      const { turns, replies } = actor.getSnapshot().context
      return { turns, replies }
    },
    onStored: (turnId, durable) => send({ type: 'TURN_STORED', turnId, durable }),
    // What is written last is told when the conversation itself tells nothing more.
    report: (failure) => (life.signal.aborted ? archive.report(failure, id) : desk.fail(failure)),
  })
  actor.on('*', (fact: ConversationEmitted) => desk.tell(fact))
  actor.subscribe({
    next(snapshot) {
      const { reply: current, speculation } = snapshot.context
      records.keepOnly([current?.replyId, speculation?.replyId])
    },
    complete: leave,
    // Without this observer XState would throw the error where nothing can catch it.
    error(error: unknown) {
      logger?.error({ conversationId: id, error: String(error) }, 'the conversation actor broke')
      desk.fail({ code: 'internal', message: 'the conversation broke unexpectedly and is over', retryable: false })
      leave()
    },
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
      send({ type: 'CONVERSATION_RESUMED', turns: counters.turns, replies: counters.replies })
      if (unfinished !== undefined) desk.tellLeft(unfinished)
    }
    gate.open()
  }

  function keep(event: ServiceEvent): void {
    history = foldHistory(history, event)
    journal?.tell(event)
    if (event.type === 'RESPONSE_FINISHED') lastHeardOutAtMs = clock.now()
    if (event.type !== 'RESPONSE_SEGMENT') return
    const { replyId, index, text, source, gap } = event
    segments.next({ replyId, index, text, source, gap })
  }

  /** The actor has ended, however it did: by a stop, a close or a break, and has told all that it had to tell. */
  function leave(): void {
    if (life.signal.aborted) return
    const { reply: left } = actor.getSnapshot().context
    if (left !== null) {
      journal?.heard(left.replyId, records.find(left.replyId)?.ledger.heard() ?? '')
      for (const running of left.calls) tellStopped(left, running)
    }
    life.abort()
    sources.unsubscribe()
    desk.close(left)
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
    events: isolateSubscribers(desk.events, logger),
    deltas: isolateSubscribers(records.deltas, logger),
    segments: isolateSubscribers(segments, logger),
    get history() {
      return history
    },
    hear,
    close: () => void actor.stop(),
    listenTo(speech) {
      const source = speech.subscribe({
        next: hear,
        error: (error: unknown) =>
          desk.fail({
            code: 'speech-source',
            message: `the speech source failed: ${nameOf(error)}; subscribe a new one`,
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
      hasOwnSink = true
      sink = given
      return new Subscription(() => {
        hasOwnSink = false
        sink = usualSink
      })
    },
    async ask(text) {
      const typed = checked(text)
      const { asker, outcome } = desk.askFor()
      gate.pass(() => {
        desk.noteTyped()
        send({ type: 'CALLER_TYPED', text: typed, asker, atMs: clock.now() })
      })
      return outcome
    },
    async say(text, options = {}) {
      const announced = checked(text)
      const { asker, outcome } = desk.askFor()
      const isProtected = options.protected ?? false
      gate.pass(() =>
        send({ type: 'ANNOUNCEMENT_MADE', text: announced, protected: isProtected, asker, atMs: clock.now() }),
      )
      return outcome
    },
    interrupt: (reason) =>
      gate.pass(() => send({ type: 'REPLY_UNWANTED', atMs: clock.now(), ...(reason === undefined ? {} : { reason }) })),
    async stop() {
      send({ type: 'SYSTEM_STOPPED', atMs: clock.now() })
      await journal?.close()
    },
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown reason'
}
