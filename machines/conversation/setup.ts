/** What the conversation chart is made of: its types, its actors, and what its actions did. Pure. */
import { assign, emit, enqueueActions, fromCallback, sendTo, setup } from 'xstate'
import { endpointAtMs, hasWords, noWords, turnText } from './caller-words.ts'
import {
  isVoiceOpen,
  nextTurnId,
  voiceOf,
  type Asked,
  type ConversationContext,
  type ConversationInput,
  type DetectorInput,
  type Timed,
  type Transcript,
} from './context.ts'
import type { ConversationEmitted, ConversationEvent } from './events.ts'
import { delays, guards } from './guards.ts'
import { newExchange, withoutSegments, withSegment, type Exchange } from './exchange.ts'
import type { ConversationPolicy } from './policy.ts'
import { instantPlayer } from '../instant-player.ts'
import { notProvided } from '../not-provided.ts'
import { isRecoverable } from '../recoverable.ts'
import type { ReplyLogic } from '../reply/logic.ts'
import { stoppedWithReply, type CallAnswer } from '../tool-calls.ts'
import type { DelayReason, Failure, InterruptReason, ReplyEnd, Segment, StateName } from '../vocabulary.ts'

const askersIn = (asker: string | undefined): readonly string[] => (asker === undefined ? [] : [asker])

/** Nothing to do: what a chart has in an actor's place while nobody provides one. */
const inert = fromCallback(() => {})

export const conversation = setup({
  types: {
    context: {} as ConversationContext,
    events: {} as ConversationEvent,
    emitted: {} as ConversationEmitted,
    input: {} as ConversationInput,
    tags: {} as 'audible' | 'interruptible' | 'listening' | 'held',
  },
  actors: {
    reply: notProvided('reply') as ReplyLogic,
    player: instantPlayer,
    /** Sends ENDPOINT_PREDICTED back within 500 ms, whatever the hook does. */
    detector: notProvided<ConversationEvent, DetectorInput>('detector'),
    /** Finds out which API the backend speaks, once per service. */
    lookout: inert,
  },

  guards,
  delays,

  actions: {
    // ------------------------------------------------------------------------------- what the caller did
    noteVoiceStarted: assign(({ context }, { atMs = 0 }: Timed) =>
      isVoiceOpen(context)
        ? {}
        : {
            voice: { serial: context.voices + 1, startedAtMs: atMs, endedAtMs: null },
            voices: context.voices + 1,
            said: { ...context.said, endOfTurn: null },
          },
    ),
    noteVoiceEnded: assign(({ context: { voice, said, policy } }, { atMs = 0 }: Timed) => {
      if (voice === null || voice.endedAtMs !== null) return {}
      const isLong = atMs - voice.startedAtMs >= policy.interruption.minDurationMs
      return {
        voice: { ...voice, endedAtMs: atMs },
        said: { ...said, longVoiceAtMs: isLong ? voice.startedAtMs : said.longVoiceAtMs },
      }
    }),
    /** Nothing was heard for the longest time: the end of the voice activity got lost on the way. */
    assumeVoiceEnded: assign(({ context: { voice, said, policy } }) => {
      if (voice === null || voice.endedAtMs !== null) return {}
      const heardAtMs = Math.max(voice.startedAtMs, said.partialAtMs, said.finalAtMs)
      return {
        voice: { ...voice, endedAtMs: heardAtMs + policy.endpointing.maxOpenMs },
        said: { ...said, longVoiceAtMs: voice.startedAtMs },
      }
    }),
    notePartial: assign(({ context, context: { said } }, { text, atMs = 0 }: Transcript) => ({
      voice: voiceOf(context, atMs),
      said: { ...said, partial: text.trim(), partialAtMs: atMs, endOfTurn: null },
    })),
    noteFinal: assign(({ context, context: { said } }, { text, speaker, atMs = 0 }: Transcript) => ({
      voice: voiceOf(context, atMs),
      said: {
        ...said,
        finals: [...said.finals, text.trim()],
        partial: null,
        speaker: speaker ?? said.speaker,
        finalAtMs: atMs,
        endOfTurn: null,
      },
    })),
    noteTyped: assign(({ context: { said } }, { text, speaker, asker, atMs = 0 }: Transcript & Asked) => ({
      said: {
        ...said,
        finals: [...said.finals, text.trim()],
        partial: null,
        finalAtMs: atMs,
        speaker: speaker ?? said.speaker,
        isTyped: true,
        askers: [...said.askers, ...askersIn(asker)],
      },
    })),
    notePrediction: assign(({ context: { said } }, { endOfTurn }: { endOfTurn: number }) => ({
      said: { ...said, endOfTurn },
    })),
    /** A reply that is made or spoken keeps the policy that it began with. */
    adoptPolicy: assign(({ context: { reply } }, { policy }: { policy: ConversationPolicy }) =>
      reply === null ? { policy, nextPolicy: null } : { nextPolicy: policy },
    ),
    noteResumed: assign((_, { turns, replies }: { turns: number; replies: number }) => ({ turns, replies })),
    noteAnnouncement: assign(({ context }, given: { text: string; protected: boolean } & Asked) => ({
      announcements: [
        ...context.announcements,
        { text: given.text, protected: given.protected, askers: askersIn(given.asker) },
      ],
    })),
    /** Voice activity that is over and brought no words was nothing. */
    forgetVoice: assign(({ context }) => (isVoiceOpen(context) || hasWords(context.said) ? {} : overlooked(context))),
    forgetTurn: assign({ said: noWords, voice: null, formerVoice: null }),
    /** A sign of listening: the sound was that and no more, and a partial was its beginning. */
    noteBackchannel: assign(({ context }) => {
      const { said, voice, reply } = context
      const left = { ...said, partial: null }
      return {
        said: left,
        reply: reply === null ? null : { ...reply, toleratedVoice: voice?.serial ?? 0 },
        ...(isVoiceOpen(context) || hasWords(left) ? {} : { voice: null, formerVoice: null }),
      }
    }),
    /** Goes on in spite of the voice that is open. */
    tolerateVoice: assign(({ context: { reply, voice } }) => ({
      reply: reply === null ? null : { ...reply, toleratedVoice: voice?.serial ?? 0 },
    })),

    // ------------------------------------------------------------------------------ what became of the turn
    endCallerTurn: enqueueActions(({ context, enqueue }, { atMs }: Timed) => {
      const turnId = nextTurnId(context)
      const { said } = context
      const text = turnText(said)
      enqueue(
        emit({
          type: 'CALLER_TURN_ENDED',
          conversationId: context.conversationId,
          turnId,
          text,
          ...(said.speaker === null ? {} : { speaker: said.speaker }),
        }),
      )
      enqueue.assign({
        said: noWords,
        voice: isVoiceOpen(context) ? context.voice : null,
        formerVoice: null,
        turns: context.turns + 1,
        committed: {
          text,
          takenPartial: said.partial,
          atMs: atMs ?? Math.max(endpointAtMs(said, context.voice, context.policy), said.finalAtMs, said.partialAtMs),
          voiceSerial: context.voices,
        },
      })
    }),
    beginReply: assign(({ context }) => ({
      replies: context.replies + 1,
      reply: newExchange({
        replyId: `reply-${context.replies + 1}`,
        turnId: nextTurnId(context),
        purpose: 'answer',
        text: turnText(context.said),
        askers: context.said.askers,
        stored: context.policy.store.keepsTurns ? 'awaited' : 'no-store',
      }),
    })),
    beginSpeculation: assign(({ context }) => ({
      replies: context.replies + 1,
      said: { ...context.said, speculations: context.said.speculations + 1 },
      speculation: newExchange({
        replyId: `reply-${context.replies + 1}`,
        turnId: nextTurnId(context),
        purpose: 'speculation',
        text: turnText(context.said),
      }),
    })),
    beginAnnouncement: assign(({ context }) => {
      const [next, ...announcements] = context.announcements
      if (next === undefined) return {}
      const replyId = `reply-${context.replies + 1}`
      return {
        announcements,
        turns: context.turns + 1,
        replies: context.replies + 1,
        reply: newExchange({
          replyId,
          turnId: nextTurnId(context),
          purpose: 'say',
          ...next,
        }),
      }
    }),
    startReply: enqueueActions(({ context, enqueue }) => {
      const exchange = context.reply
      if (exchange === null) return
      const { replyId, turnId, purpose, text } = exchange
      const { conversationId } = context
      enqueue.spawnChild('reply', { id: replyId, input: { conversationId, replyId, turnId, purpose, text } })
    }),
    adoptSpeculation: enqueueActions(({ context, enqueue }) => {
      const { speculation } = context
      if (speculation === null) return
      const turnId = nextTurnId(context)
      enqueue.sendTo(speculation.replyId, { type: 'REPLY_ADOPTED', turnId })
      const stored = context.policy.store.keepsTurns ? 'awaited' : 'no-store'
      const { askers } = context.said
      enqueue.assign({ reply: { ...speculation, turnId, askers, stored }, speculation: null })
    }),
    startSpeculation: enqueueActions(({ context, enqueue }) => {
      const exchange = context.speculation
      if (exchange === null) return
      const { replyId, turnId, purpose, text } = exchange
      const { conversationId } = context
      enqueue.spawnChild('reply', { id: replyId, input: { conversationId, replyId, turnId, purpose, text } })
    }),
    dropSpeculation: enqueueActions(({ context, enqueue }) => {
      if (context.speculation === null) return
      enqueue.stopChild(context.speculation.replyId)
      enqueue.assign({ speculation: null })
    }),
    /** Whoever enters a state in which no reply may live ends the one there is. */
    dropReply: enqueueActions(({ context, enqueue }) => {
      if (context.reply === null) return
      enqueue.stopChild(context.reply.replyId)
      enqueue.assign({ reply: null, policy: context.nextPolicy ?? context.policy, nextPolicy: null })
    }),

    // --------------------------------------------------------------------------------- what the reply brought
    keepSegment: assign(({ context }, { attempt, segment }: { attempt: number; segment: Segment }) => ({
      reply: context.reply === null ? null : withSegment(context.reply, attempt, segment),
    })),
    keepSpeculated: assign(({ context }, { attempt, segment }: { attempt: number; segment: Segment }) => ({
      speculation: context.speculation === null ? null : withSegment(context.speculation, attempt, segment),
    })),
    voidSegments: assign(({ context }, { attempt }: { attempt: number }) => ({
      reply: context.reply === null ? null : withoutSegments(context.reply, attempt),
    })),
    voidSpeculated: assign(({ context }, { attempt }: { attempt: number }) => ({
      speculation: context.speculation === null ? null : withoutSegments(context.speculation, attempt),
    })),
    noteTextOver: assign(({ context }, facts: ReplyEnd) => ({
      reply: context.reply === null ? null : { ...context.reply, end: { ok: true as const, facts: onlyFacts(facts) } },
    })),
    noteSpeculatedTextOver: assign(({ context }, facts: ReplyEnd) => ({
      speculation:
        context.speculation === null
          ? null
          : { ...context.speculation, end: { ok: true as const, facts: onlyFacts(facts) } },
    })),
    noteStored: assign(({ context: { reply } }, { durable }: { durable: boolean }) => ({
      reply: reply === null ? null : { ...reply, stored: durable ? ('durable' as const) : ('not-durable' as const) },
    })),
    awaitStoreNoMore: assign(({ context: { reply } }) =>
      reply?.stored === 'awaited' ? { reply: { ...reply, stored: 'not-durable' as const } } : {},
    ),
    noteFailure: assign(({ context }, { error }: { error: Failure }) => ({
      reply: context.reply === null ? null : { ...context.reply, end: { ok: false as const, error } },
    })),
    noteCalls: assign(({ context }, { calls }: { calls: Exchange['calls'] }) => ({
      reply: context.reply === null ? null : { ...context.reply, calls: [...context.reply.calls, ...calls] },
    })),
    noteCalled: assign(({ context }, { call }: CallAnswer) => ({
      reply:
        context.reply === null
          ? null
          : { ...context.reply, calls: context.reply.calls.filter(({ id }) => id !== call.id) },
    })),
    notePlayed: assign(({ context }) => ({
      reply: context.reply === null ? null : { ...context.reply, played: context.reply.played + 1 },
    })),
    /** The player took what was waiting when it was started; the reply is committed from now on. */
    noteHandedOver: enqueueActions(({ context, enqueue }) => {
      const { reply } = context
      if (reply === null || reply.waiting.length === 0) return
      if (reply.end === null) enqueue.sendTo(reply.replyId, { type: 'REPLY_COMMITTED' })
      enqueue.assign({ reply: { ...reply, waiting: [] } })
    }),
    forwardSegment: enqueueActions(({ context, enqueue }, { segment }: { segment: Segment }) => {
      enqueue.sendTo('player', { type: 'PLAYBACK_QUEUED', segment })
      enqueue.assign({ reply: context.reply === null ? null : { ...context.reply, cut: context.reply.cut + 1 } })
    }),
    wantPause: sendTo('player', { type: 'PLAYBACK_PAUSE_WANTED' }),
    wantResumption: sendTo('player', { type: 'PLAYBACK_RESUME_WANTED' }),

    // ------------------------------------------------------------------------------------------ what is told
    tellGenerating: emit(({ context }) => ({ type: 'RESPONSE_GENERATING' as const, ...idsOf(context) })),
    tellDelayed: emit(({ context }, { reason }: { reason: DelayReason }) => ({
      type: 'RESPONSE_DELAYED' as const,
      ...idsOf(context),
      reason,
    })),
    tellStarted: emit(({ context }) => ({
      type: 'RESPONSE_STARTED' as const,
      ...idsOf(context),
      ...(context.reply === null || context.reply.stored === 'no-store'
        ? {}
        : { durable: context.reply.stored === 'durable' }),
    })),
    tellSegment: emit(({ context }, { segment }: { segment: Segment }) => ({
      type: 'RESPONSE_SEGMENT' as const,
      ...idsOf(context),
      ...segment,
    })),
    tellCalled: emit(({ context }, answer: CallAnswer) => calledFact(context, answer)),
    tellGenerated: enqueueActions(({ context, enqueue }) => {
      const end = context.reply?.end
      if (end?.ok === true) enqueue.emit({ type: 'RESPONSE_GENERATED', ...idsOf(context), ...end.facts })
    }),
    tellFinished: emit(({ context }) => ({ type: 'RESPONSE_FINISHED' as const, ...endingOf(context) })),
    tellInterrupted: enqueueActions(({ context, enqueue }, { reason }: { reason: InterruptReason }) => {
      if (context.reply === null) return
      for (const call of context.reply.calls) enqueue.emit(calledFact(context, stoppedWithReply(call)))
      enqueue.emit({ type: 'RESPONSE_INTERRUPTED', ...endingOf(context), reason })
    }),
    tellFailed: enqueueActions(({ context, enqueue }, given: { error?: Failure }) => {
      const end = context.reply?.end
      const error = given.error ?? (end?.ok === false ? end.error : undefined)
      if (error === undefined) return
      for (const call of context.reply?.calls ?? []) enqueue.emit(calledFact(context, stoppedWithReply(call)))
      const { code, message } = error
      const recoverable = isRecoverable(error)
      enqueue.emit({ type: 'ERROR_OCCURRED', ...endingOf(context), code, message, recoverable, failure: error })
    }),
    tellAmbientIgnored: emit(({ context }, event: Transcript & { verdict?: 'answer' | 'ignore' | 'context' }) => ({
      type: 'AMBIENT_SPEECH_IGNORED' as const,
      conversationId: context.conversationId,
      ...(event.verdict === 'context' ? { kept: `[overheard] ${event.text.trim()}` } : {}),
      ...(event.speaker === undefined ? {} : { speaker: event.speaker }),
    })),
    tellConfigured: emit(({ context }, { settings }: { settings: readonly string[] }) => ({
      type: 'CONVERSATION_CONFIGURED' as const,
      conversationId: context.conversationId,
      settings,
    })),
    tellBackchannel: emit(({ context }) => ({
      type: 'BACKCHANNEL_HEARD' as const,
      conversationId: context.conversationId,
    })),
    leave: assign((_, { from }: { from: StateName }) => ({ left: from })),
    enter: enqueueActions(({ context, enqueue }, { to }: { to: StateName }) => {
      const { left: from, conversationId } = context
      if (from !== null && from !== to) enqueue.emit({ type: 'STATE_CHANGED', conversationId, from, to })
    }),
  },
})

/** What is told when the reply or the player breaks in a way nobody foresaw. */
export const brokenChild: Failure = {
  code: 'internal',
  message: 'the reply broke unexpectedly; the conversation goes on, please report how it came about',
  retryable: true,
}

/** Forgotten but for a transcript that comes late. */
function overlooked({ voice, formerVoice }: ConversationContext) {
  return { voice: null, formerVoice: voice ?? formerVoice }
}

function idsOf({ conversationId, reply }: ConversationContext) {
  return { conversationId, turnId: reply?.turnId ?? '', replyId: reply?.replyId ?? '' }
}

function endingOf(context: ConversationContext) {
  return { ...idsOf(context), askers: context.reply?.askers ?? [] }
}

/** Call and result are told together: no call is ever remembered without what came of it. */
function calledFact(context: ConversationContext, { call, result, outcome }: CallAnswer) {
  return { type: 'TOOL_CALLED' as const, ...idsOf(context), ...call, result, outcome }
}

function onlyFacts({ text, model, backend, cached, fallback, usage, finishReason }: ReplyEnd): ReplyEnd {
  return { text, model, backend, cached, fallback, usage, finishReason }
}
