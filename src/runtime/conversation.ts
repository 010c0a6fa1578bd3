import { Subject, Subscription, type Observable } from 'rxjs'
import { createActor, type ActorRefFrom } from 'xstate'
import type { AmbientVerdict, ConversationEmitted, ConversationEvent } from '../../machines/conversation-events.ts'
import { conversationInput, type conversationMachine } from '../../machines/conversation.ts'
import type { Delta, Segment, ServiceEvent, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import type { Generation } from '../generation/index.ts'
import { foldHistory } from '../history/fold-history.ts'
import { namedAmbientPolicy } from '../listening/ambient-policy.ts'
import { createSpeechParser } from '../listening/parse-speech.ts'
import { createPlayer } from '../speaking/player.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import { expectedSpeechMs } from '../speaking/speech-length.ts'
import { actorClock, provideConversation, watchFailure } from './conversation-actors.ts'
import { createEventDesk } from './event-desk.ts'
import { isolateSubscribers } from './isolate-subscribers.ts'
import type { ServiceParts } from './options.ts'
import { policyOf } from './policy.ts'
import { createReplyRecords } from './reply-records.ts'
import type { TurnOutcome } from './turn-outcome.ts'

/** One conversation, as a program uses it. */
export interface Conversation {
  readonly id: string
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
  /** What was said and heard before, for a conversation that goes on. */
  history?: readonly Turn[]
}

export interface ConversationHost {
  options: ConversationOptions
  parts: ServiceParts
  generation: Generation
  onDetecting(): void
}

export function createConversation(
  id: string,
  { options, parts, generation, onDetecting }: ConversationHost,
): HostedConversation {
  const { settings, clock, logger } = parts
  const segments = new Subject<Segment>()
  const records = createReplyRecords({ clock, settings })
  const parse = createSpeechParser(settings.limits.utteranceChars)
  const judge = parts.ambientPolicy ?? namedAmbientPolicy(settings.ambient.policy, settings.ambient.followUpMs)
  const life = new AbortController()
  const sources = new Subscription()
  const usualSink = options.sink ?? parts.sink ?? null
  let sink = usualSink
  let hasOwnSink = false
  let history: readonly Turn[] = options.history ?? []
  let lastHeardOutAtMs: number | null = null
  let asked = 0

  const reply = generation.replyLogic({
    id,
    messages(input) {
      records.open(input.replyId)
      const past = history.map((turn) => ({ role: turn.role, content: turn.text }))
      return input.purpose === 'speculation' && !isAnswering(input.replyId)
        ? [...past, { role: 'user', content: input.text }]
        : past
    },
    onDelta: records.onDelta,
    onMark(mark) {
      records.onMark(mark)
      if (mark.type !== 'template-tokens') return
      logger?.debug({ conversationId: id, count: mark.count }, 'template tokens were left out of a reply')
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
        warn: (message, cause) => logger?.warn({ conversationId: id, cause: String(cause) }, message),
        report(event) {
          if (event.type === 'PLAYBACK_STARTED') record.moments.firstAudioAtMs ??= clock.now()
          if (event.type === 'PLAYBACK_PAUSED') record.moments.silentAtMs = clock.now()
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
      policy: policyOf(settings, { asksDetector: parts.detector !== undefined, keepsTurns: false }),
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
  desk.events.subscribe((event) => {
    history = foldHistory(history, event)
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
    logger?.error({ conversationId: id, error: String(error) }, 'the conversation actor broke')
    desk.fail({ code: 'internal', message: 'the conversation broke unexpectedly and is over', retryable: false })
    close()
  })
  actor.start()

  function close(): void {
    life.abort()
    sources.unsubscribe()
    actor.stop()
    desk.close()
    records.close()
    segments.complete()
  }

  function send(event: ConversationEvent): void {
    if (actor.getSnapshot().status === 'active') actor.send(event)
  }

  /** Stamped on arrival; a source may say that it happened a little earlier. */
  function stamped<Event extends { atMs?: number }>(event: Event): Event {
    const nowMs = clock.now()
    const isPlausible = event.atMs !== undefined && event.atMs <= nowMs && event.atMs > nowMs - longestLagMs
    return isPlausible ? event : { ...event, atMs: nowMs }
  }

  function hear(raw: unknown): void {
    const parsed = parse(raw)
    if (!parsed.ok) return desk.fail({ code: 'bad-input', message: parsed.message, retryable: false })
    const event = stamped(parsed.event)
    desk.noteSpeech(event)
    if (event.type !== 'AMBIENT_SPEECH_DETECTED') return send(event)
    const sinceReplyMs = lastHeardOutAtMs === null ? null : clock.now() - lastHeardOutAtMs
    const utterance = { text: event.text, ...(event.speaker === undefined ? {} : { speaker: event.speaker }) }
    const context = { conversationId: id, history, assistantNames: settings.assistantNames, sinceReplyMs }
    const broke = (error: unknown) => {
      logger?.warn({ conversationId: id, error: String(error) }, 'the ambient policy threw; the speech is ignored')
      send({ ...event, verdict: 'ignore' })
    }
    const decided = (verdict: AmbientVerdict, { atMs } = event) => {
      if (verdict === 'answer') desk.noteSpeech({ ...event, type: 'SPEECH_DETECTED' })
      send({ ...event, ...(atMs === undefined ? {} : { atMs }), verdict })
    }
    try {
      const verdict = judge(utterance, context, life.signal)
      if (typeof verdict === 'string') decided(verdict)
      else verdict.then((later) => decided(later, stamped({ ...event, atMs: clock.now() })), broke)
    } catch (error) {
      broke(error)
    }
  }

  function checked(text: string): string {
    if (text.trim() === '') throw new LlmError('bad-input', { message: 'the text is empty; give at least one word' })
    if (text.length > settings.limits.utteranceChars)
      throw new LlmError('bad-input', {
        message: `the text is longer than limits.utteranceChars (${settings.limits.utteranceChars}); shorten it or raise the limit`,
      })
    return text
  }

  return {
    id,
    actor,
    events: isolateSubscribers(desk.events, logger),
    deltas: isolateSubscribers(records.deltas, logger),
    segments: isolateSubscribers(segments, logger),
    get history() {
      return history
    },
    hear,
    close,
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
      // Words typed while nobody may interrupt wait together, and are answered together.
      const turnId = actor.getSnapshot().context.said.typedTurnId ?? `typed-${(asked += 1)}`
      const outcome = desk.outcome(turnId)
      desk.noteTyped()
      send({ type: 'CALLER_TYPED', text: typed, turnId, atMs: clock.now() })
      return outcome
    },
    async say(text, options = {}) {
      const announced = checked(text)
      const turnId = `said-${(asked += 1)}`
      const outcome = desk.outcome(turnId)
      const isProtected = options.protected ?? false
      send({ type: 'ANNOUNCEMENT_MADE', text: announced, turnId, protected: isProtected, atMs: clock.now() })
      return outcome
    },
    interrupt: (reason) =>
      send({ type: 'REPLY_UNWANTED', atMs: clock.now(), ...(reason === undefined ? {} : { reason }) }),
    async stop() {
      send({ type: 'SYSTEM_STOPPED', atMs: clock.now() })
    },
  }
}

/** A source that stamps its events may lag this much; what claims to be older is stamped on arrival. */
const longestLagMs = 10_000

function nameOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown reason'
}
