import { and, assign, enqueueActions, not, sendTo, setup, stateIn, type CallbackActorLogic } from 'xstate'
import { notProvided } from './not-provided.ts'
import {
  asked,
  endReport,
  mistake,
  nobody,
  nothingLocated,
  rest,
  restartReport,
  route,
  segmentReport,
  type AttemptInput,
  type LocateInput,
  type ReplyContext,
  type ReplyEvent,
} from './reply-context.ts'
import {
  askedPatienceMs,
  home,
  mayRetry,
  timeoutOf,
  type AttemptFailure,
  type Candidate,
  type Wait,
} from './reply-policy.ts'
import type { DelayReason, ReplyCommand, ReplyInput, ReplyReport, Segment } from './vocabulary.ts'

/*
 * One reply's policy: words that are known already, else candidates, attempts, retry, fallback, time-outs.
 * Deltas pass beside this chart; it sees boundaries only. It reports to its parent, and emits the same.
 */

type Reporting<TInput> = CallbackActorLogic<ReplyCommand, TInput>
const recall: Reporting<ReplyInput> = notProvided('recall')
const locate: Reporting<LocateInput> = notProvided('locate')
const attempt: Reporting<AttemptInput> = notProvided('attempt')

export const replyMachine = setup({
  types: { input: {} as ReplyInput, context: {} as ReplyContext, events: {} as ReplyEvent, emitted: {} as ReplyReport },
  actors: { recall, locate, attempt },
  // The values of SPEC; a service provides its own.
  delays: {
    recallMs: 100,
    locateMs: 2_000,
    queueMs: 4_000,
    connectMs: 2_000,
    firstTokenMs: ({ context }) => context.firstTokenMs,
    totalMs: 60_000,
    retryMs: ({ context }) => askedPatienceMs(context.failure) ?? 200,
  },
  guards: {
    isHeard: stateIn({ standing: 'heard' }),
    isLoading: ({ event }) => event.type === 'SLOT_GRANTED' && event.loading,
    hasCandidate: ({ event }) => event.type === 'MODELS_LOCATED' && event.candidates.length > 0,
    isLocated: ({ context }) => context.current !== null,
    isFinal: ({ context }) => context.emptyReplies > 1 || (route(context).next === 'nowhere' && !route(context).amend),
    isWorthAmending: ({ context }) => route(context).amend === true && context.amendments === 0,
    hasNext: ({ context }) => rest(context).length > 0,
    canLookElsewhere: ({ context }) =>
      context.current === null && context.failure !== null && !context.leftAlone.includes(context.failure.origin),
    // These two are policy that a service provides from its settings; here stand the defaults.
    canRetry: ({ context }) => mayRetry(context, { attempts: 1, longestWaitMs: 4_000 }),
    mayContinue: () => false,
  },
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
    voidAttempt: assign(({ context }) => ({ attempt: context.attempt + 1, reported: { text: '', segments: 0 } })),
    keepWhatIsHeard: assign({ attempt: ({ context }) => context.attempt + 1 }),
    becomeAnswer: assign({ purpose: 'answer' }),
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
    leaveOriginAlone: assign(({ context }) => ({
      leftAlone: [...context.leftAlone, context.failure?.origin ?? home],
      retries: 0,
    })),
  },
}).createMachine({
  id: 'reply',
  type: 'parallel',
  context: ({ input }) => ({
    ...input,
    attempt: 1,
    current: null,
    remaining: [],
    firstModel: null,
    leftAlone: [],
    retries: 0,
    amendments: 0,
    emptyReplies: 0,
    firstTokenMs: 4_000,
    failure: null,
    reported: { text: '', segments: 0 },
  }),
  states: {
    standing: {
      description: 'Whether the caller can notice a change of mind.',
      initial: 'unheard',
      on: { REPLY_ADOPTED: { actions: ['becomeAnswer', 'showDeltas'] } },
      states: {
        unheard: {
          description: 'Nothing is with the sink: a failed attempt is discarded and nobody knows.',
          on: { REPLY_COMMITTED: 'heard' },
        },
        heard: { description: 'The first segment is with the sink: the reply cannot start again from the top.' },
      },
    },
    work: {
      description: 'The way to the words.',
      initial: 'looking',
      states: {
        looking: {
          description: 'The words may be known already: given to be said, or kept in the cache.',
          invoke: {
            id: 'recall',
            src: 'recall',
            input: ({ context }) => asked(context),
            onError: { target: 'failed', actions: 'noteMistake' },
          },
          on: {
            WORDS_UNKNOWN: 'locating',
            SEGMENT_CUT: {
              actions: [
                { type: 'countSegment', params: ({ event }) => event },
                { type: 'report', params: ({ context, event }) => segmentReport(context, event.segment) },
              ],
            },
            TEXT_COMPLETED: {
              target: 'ended',
              actions: { type: 'report', params: ({ context, event }) => endReport(context, event.end) },
            },
          },
          // A cache that is slower than this is a miss.
          after: { recallMs: 'locating' },
        },
        locating: {
          description: 'Which models may be asked, and where: the backend is reached and says what it has.',
          invoke: {
            id: 'locate',
            src: 'locate',
            input: ({ context }) => ({ reply: asked(context), leftAlone: context.leftAlone }),
            onError: { target: 'failed', actions: 'noteMistake' },
          },
          on: {
            MODELS_LOCATED: [
              {
                guard: 'hasCandidate',
                target: 'attempting',
                actions: { type: 'takeCandidates', params: ({ event }) => event },
              },
              { target: 'failed' },
            ],
            ATTEMPT_FAILED: { target: 'deciding', actions: { type: 'noteFailure', params: ({ event }) => event } },
          },
          after: {
            locateMs: { target: 'deciding', actions: { type: 'noteTimeout', params: { wait: 'connect-timeout' } } },
          },
        },
        attempting: {
          description: 'One request to one model. Leaving this state aborts it and frees its slot at once.',
          initial: 'reaching',
          invoke: {
            id: 'attempt',
            src: 'attempt',
            input: ({ context }) => ({
              reply: asked(context),
              attempt: context.attempt,
              candidate: context.current ?? nobody,
              shorter: context.failure?.error.code === 'context-overflow',
              after: context.reported,
            }),
            onError: { target: 'failed', actions: 'noteMistake' },
          },
          on: {
            ATTEMPT_FAILED: { target: 'deciding', actions: { type: 'noteFailure', params: ({ event }) => event } },
            SEGMENT_CUT: {
              actions: [
                { type: 'countSegment', params: ({ event }) => event },
                { type: 'report', params: ({ context, event }) => segmentReport(context, event.segment) },
              ],
            },
            TEXT_COMPLETED: {
              target: 'ended',
              actions: { type: 'report', params: ({ context, event }) => endReport(context, event.end) },
            },
            // The slot of a speculation may be taken from it; that of the turn's reply may not.
            REPLY_ADOPTED: { actions: sendTo('attempt', { type: 'REPLY_ADOPTED' }) },
          },
          states: {
            reaching: {
              description: 'The backend is reached, the prompt is made to fit.',
              on: { BACKEND_REACHED: 'queued' },
              after: {
                locateMs: {
                  target: '#reply.work.deciding',
                  actions: { type: 'noteTimeout', params: { wait: 'connect-timeout' } },
                },
              },
            },
            queued: {
              description: 'Waiting for a free slot of the backend.',
              on: {
                SLOT_AWAITED: { actions: { type: 'reportDelay', params: { reason: 'queued' } } },
                SLOT_GRANTED: [
                  {
                    guard: 'isLoading',
                    target: 'requested',
                    actions: [
                      { type: 'expectFirstToken', params: ({ event }) => event },
                      { type: 'reportDelay', params: { reason: 'loading' } },
                    ],
                  },
                  { target: 'requested', actions: { type: 'expectFirstToken', params: ({ event }) => event } },
                ],
              },
              after: {
                queueMs: {
                  target: '#reply.work.deciding',
                  actions: { type: 'noteTimeout', params: { wait: 'queue-timeout' } },
                },
              },
            },
            requested: {
              description: 'The slot is ours and the request is out; the time to the first token runs.',
              initial: 'connecting',
              on: { FIRST_TOKEN_RECEIVED: 'streaming' },
              after: {
                firstTokenMs: {
                  target: '#reply.work.deciding',
                  actions: [{ type: 'noteTimeout', params: { wait: 'first-token-timeout' } }, 'blameModel'],
                },
              },
              states: {
                connecting: {
                  description: 'No connection yet.',
                  on: { BACKEND_CONNECTED: 'awaitingFirstToken' },
                  after: {
                    connectMs: {
                      target: '#reply.work.deciding',
                      actions: [{ type: 'noteTimeout', params: { wait: 'connect-timeout' } }, 'blameModel'],
                    },
                  },
                },
                awaitingFirstToken: { description: 'Connected; the model is read in, or reads the prompt.' },
              },
            },
            streaming: {
              description: 'Text arrives.',
              after: {
                totalMs: {
                  target: '#reply.work.deciding',
                  actions: [{ type: 'noteTimeout', params: { wait: 'total-timeout' } }, 'blameModel'],
                },
              },
            },
          },
        },
        deciding: {
          description: 'Something failed: again, the next model, or the end.',
          always: [
            { guard: and(['isHeard', not('mayContinue')]), target: 'failed' },
            { guard: 'isFinal', target: 'failed' },
            { guard: and(['isHeard', 'hasNext']), target: 'attempting', actions: ['keepWhatIsHeard', 'moveOn'] },
            { guard: 'isHeard', target: 'failed' },
            {
              guard: and(['isWorthAmending', 'isLocated']),
              target: 'attempting',
              actions: [
                { type: 'report', params: ({ context }) => restartReport(context) },
                'voidAttempt',
                'countAmendment',
              ],
            },
            {
              guard: 'canRetry',
              target: 'backingOff',
              actions: [
                { type: 'report', params: ({ context }) => restartReport(context) },
                'voidAttempt',
                'countRetry',
              ],
            },
            {
              guard: 'hasNext',
              target: 'attempting',
              actions: [
                { type: 'report', params: ({ context }) => restartReport(context) },
                'voidAttempt',
                'moveOn',
                { type: 'reportDelay', params: { reason: 'fallback' } },
              ],
            },
            { guard: 'canLookElsewhere', target: 'locating', actions: 'leaveOriginAlone' },
            { target: 'failed' },
          ],
        },
        backingOff: {
          description: 'A moment before the same request is made again.',
          after: { retryMs: [{ guard: 'isLocated', target: 'attempting' }, { target: 'locating' }] },
        },
        ended: { description: 'The text is complete.', tags: 'over' },
        failed: {
          description: 'Nobody could answer, or nobody may go on.',
          tags: 'over',
          entry: {
            type: 'report',
            params: ({ context }) => ({
              type: 'REPLY_FAILED',
              replyId: context.replyId,
              error: context.failure?.error ?? nothingLocated,
            }),
          },
        },
      },
    },
  },
})
