/** What the reply chart is made of: its types, its actors, its delays, and what its actions did. Pure. */
import { assign, enqueueActions, setup } from 'xstate'
import { notProvided } from '../not-provided.ts'
import {
  mistake,
  rest,
  withNewest,
  type AttemptInput,
  type CallInput,
  type LocateInput,
  type ReplyContext,
  type ReplyEvent,
  type WantedRound,
} from './context.ts'
import { guards } from './guards.ts'
import { askedPatienceMs, home, timeoutOf, type AttemptFailure, type Candidate, type Wait } from './policy.ts'
import {
  calledTooOften,
  calledWronglyAgain,
  isRefused,
  mostRounds,
  placed,
  stoppedForTime,
  unanswered,
  type CallAnswer,
} from '../tool-calls.ts'
import type { DelayReason, ReplyCommand, ReplyInput, ReplyReport, Segment } from '../vocabulary.ts'

const recall = notProvided<ReplyCommand, ReplyInput>('recall')
const locate = notProvided<ReplyCommand, LocateInput>('locate')
const attempt = notProvided<ReplyCommand, AttemptInput>('attempt')
const call = notProvided<ReplyCommand, CallInput>('call')

export const reply = setup({
  types: { input: {} as ReplyInput, context: {} as ReplyContext, events: {} as ReplyEvent, emitted: {} as ReplyReport },
  actors: { recall, locate, attempt, call },
  // The values of SPEC; a service provides its own.
  delays: {
    recallMs: 100,
    locateMs: 2_000,
    queueMs: 4_000,
    connectMs: 2_000,
    firstTokenMs: ({ context }) => context.firstTokenMs,
    totalMs: 60_000,
    toolMs: 10_000,
    retryMs: ({ context }) => askedPatienceMs(context.failure) ?? 200,
  },
  guards,
  actions: {
    report: enqueueActions(({ enqueue, self }, report: ReplyReport) => {
      if (self._parent) enqueue.sendTo(self._parent, report)
      enqueue.emit(report)
    }),
    // What is tried ahead of the commit delays nobody.
    reportDelay: enqueueActions(({ enqueue, self, context }, { reason }: { reason: DelayReason }) => {
      if (context.purpose === 'speculation') return
      const report: ReplyReport = { type: 'REPLY_DELAYED', replyId: context.replyId, reason }
      if (self._parent) enqueue.sendTo(self._parent, report)
      enqueue.emit(report)
    }),
    countSegment: assign(({ context: { reported } }, { segment }: { segment: Segment }) => ({
      reported: { text: reported.text + segment.gap + segment.source, segments: reported.segments + 1 },
    })),
    // What was said before a call is void too; what was called is not.
    voidAttempt: assign(({ context }) => ({
      attempt: context.attempt + 1,
      reported: { text: '', segments: 0 },
      rounds: context.rounds.map((round) => ({ ...round, text: '', saidChars: 0 })),
    })),
    keepWhatIsHeard: assign({ attempt: ({ context }) => context.attempt + 1 }),
    becomeAnswer: assign(({ context }, { turnId = context.turnId }: { turnId?: string }) => ({
      purpose: 'answer' as const,
      turnId,
    })),
    takeCandidates: assign((_, { candidates }: { candidates: Candidate[] }) => ({
      current: candidates[0] ?? null,
      remaining: candidates.slice(1),
      firstModel: candidates[0]?.model ?? null,
    })),
    expectFirstToken: assign((_, { firstTokenMs }: { firstTokenMs: number }) => ({ firstTokenMs })),
    noteFailure: assign(({ context }, { failure }: { failure: AttemptFailure }) => ({
      failure,
      emptyReplies: context.emptyReplies + (failure.error.code === 'empty-reply' ? 1 : 0),
    })),
    noteTimeout: assign(({ context }, { wait }: { wait: Wait }) => ({
      failure: { error: timeoutOf(wait, context.current?.model), fault: wait, origin: context.current?.origin ?? home },
    })),
    // A service counts it for the breaker, and shows the deltas that it held back. The chart needs neither.
    blameModel: assign({}),
    showDeltas: assign({}),
    noteMistake: assign({ failure: { error: mistake, origin: home } }),
    countRetry: assign({ retries: ({ context }) => context.retries + 1 }),
    countAmendment: assign({ amendments: ({ context }) => context.amendments + 1 }),
    moveOn: assign(({ context }) => {
      const candidates = rest(context)
      return { current: candidates[0] ?? null, remaining: candidates.slice(1), retries: 0, amendments: 0 }
    }),
    takeRound: assign(({ context }, { text, calls, replyTokens }: WantedRound) => ({
      refusals: context.refusals + (isRefused({ calls }) ? 1 : 0),
      rounds: [
        ...context.rounds,
        {
          text,
          saidChars: context.reported.text.length,
          calls,
          answers: [],
          ...(replyTokens === undefined ? {} : { replyTokens }),
        },
      ],
    })),
    noteCallsRefused: assign(({ context }) => ({
      failure: {
        error: context.rounds.length < mostRounds ? calledWronglyAgain : calledTooOften,
        origin: context.current?.origin ?? home,
      },
    })),
    noteAnswer: assign(({ context }, { answer }: { answer: CallAnswer }) => ({
      rounds: withNewest(context.rounds, (round) => ({ ...round, answers: [...round.answers, answer] })),
    })),
    stopCalls: enqueueActions(({ context, enqueue, self }) => {
      const { replyId } = context
      const stopped = context.rounds.slice(-1).flatMap(unanswered).map(stoppedForTime)
      enqueue.assign({
        rounds: withNewest(context.rounds, (round) => ({ ...round, answers: [...round.answers, ...stopped] })),
      })
      for (const answer of stopped) {
        const report: ReplyReport = {
          type: 'REPLY_CALLED',
          replyId,
          ...answer,
          call: placed(context.rounds, answer.call),
        }
        if (self._parent) enqueue.sendTo(self._parent, report)
        enqueue.emit(report)
      }
    }),
    // A request of its own: it may fail as often as the first.
    beginNextRequest: assign(({ context }) => ({
      attempt: context.attempt + 1,
      retries: 0,
      amendments: 0,
      emptyReplies: 0,
      failure: null,
    })),
    leaveOriginAlone: assign(({ context }) => ({
      leftAlone: [...context.leftAlone, context.failure?.origin ?? home],
      retries: 0,
    })),
  },
})
