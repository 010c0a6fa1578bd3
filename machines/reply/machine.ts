/*
 * One reply's policy: words that are known already, else candidates, attempts, retry, fallback, functions, time-outs.
 * Deltas pass beside this chart; it sees boundaries only. It reports to its parent, and emits the same.
 */
import { and, not, or, sendTo } from 'xstate'
import { asked, endReport, nobody, nothingLocated, restartReport, segmentReport } from './context.ts'
import { reply } from './setup.ts'
import { callsToRun, callsToTell, placed } from '../tool-calls.ts'

export const replyMachine = reply.createMachine({
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
    rounds: [],
    refusals: 0,
  }),
  states: {
    standing: {
      description: 'Whether the caller can notice a change of mind.',
      initial: 'unheard',
      on: { REPLY_ADOPTED: { actions: [{ type: 'becomeAnswer', params: ({ event }) => event }, 'showDeltas'] } },
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
              rounds: context.rounds,
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
            TOOLS_WANTED: [
              {
                guard: { type: 'mayCall', params: ({ event }) => event },
                target: 'calling',
                actions: { type: 'takeRound', params: ({ event }) => event },
              },
              { target: 'failed', actions: 'noteCallsRefused' },
            ],
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
        calling: {
          description: 'The model asked for functions; their results go back to it. No slot is held meanwhile.',
          initial: 'held',
          states: {
            held: {
              description: 'Nothing is run for a reply ahead of the commit before it is adopted.',
              always: [
                { guard: 'isAnswered', target: '#reply.work.attempting', actions: 'beginNextRequest' },
                { guard: 'isAwaited', target: 'running' },
              ],
            },
            running: {
              description: 'All functions of the round run side by side. Leaving this state aborts what still runs.',
              entry: [
                { type: 'reportDelay', params: { reason: 'tool' } },
                {
                  type: 'report',
                  params: ({ context }) => ({
                    type: 'REPLY_CALLING',
                    replyId: context.replyId,
                    calls: callsToTell(context.rounds),
                  }),
                },
              ],
              invoke: {
                id: 'call',
                src: 'call',
                input: ({ context }) => ({
                  reply: asked(context),
                  calls: context.rounds.slice(-1).flatMap(callsToRun),
                }),
                onError: { target: '#reply.work.failed', actions: 'noteMistake' },
              },
              always: { guard: 'isAnswered', target: '#reply.work.attempting', actions: 'beginNextRequest' },
              on: {
                CALL_ANSWERED: {
                  actions: [
                    { type: 'noteAnswer', params: ({ event }) => event },
                    {
                      type: 'report',
                      params: ({ context, event }) => ({
                        type: 'REPLY_CALLED',
                        replyId: context.replyId,
                        ...event.answer,
                        call: placed(context.rounds, event.answer.call),
                      }),
                    },
                  ],
                },
              },
              after: { toolMs: { actions: 'stopCalls' } },
            },
          },
        },
        deciding: {
          description: 'Something failed: again, the next model, or the end.',
          always: [
            { guard: and(['isHeard', or([not('mayContinue'), 'hasCalled'])]), target: 'failed' },
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
