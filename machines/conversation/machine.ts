/** One conversation: whose turn it is, what is due, and who may be interrupted. Pure; the runtime provides the world. */
import { and, not, raise } from 'xstate'
import { defaultPolicy, type ConversationPolicy } from './policy.ts'
import { momentIn, type ConversationInput } from './context.ts'
import { brokenChild, conversation } from './setup.ts'
import { noWords } from './caller-words.ts'
import { overReply, told } from './parts.ts'

export type { ConversationContext, ConversationInput, DetectorInput } from './context.ts'

export const conversationMachine = conversation.createMachine({
  id: 'conversation',
  options: { maxIterations: 200 },
  context: ({ input }) => ({
    ...input,
    nextPolicy: null,
    said: noWords,
    voice: null,
    formerVoice: null,
    voices: 0,
    committed: null,
    reply: null,
    speculation: null,
    announcements: [],
    turns: 0,
    replies: 0,
    left: null,
  }),
  initial: 'idle',
  on: {
    SYSTEM_STOPPED: { target: '.stopped', actions: { type: 'tellInterrupted', params: { reason: 'stopped' } } },
    AMBIENT_SPEECH_DETECTED: [
      { guard: { type: 'isBlank', params: told } },
      {
        guard: { type: 'isAddressed', params: told },
        actions: raise(({ event }) => ({ ...event, type: 'SPEECH_DETECTED' as const })),
      },
      { actions: { type: 'tellAmbientIgnored', params: told } },
    ],
    CONVERSATION_LEFT: { actions: { type: 'tellInterrupted', params: { reason: 'left' } } },
    CONVERSATION_CONFIGURED: {
      actions: [
        { type: 'adoptPolicy', params: told },
        { type: 'tellConfigured', params: told },
      ],
    },
    ANNOUNCEMENT_MADE: { actions: { type: 'noteAnnouncement', params: told } },
    SPEECH_ENDED: { actions: { type: 'noteVoiceEnded', params: told } },
    // A child that breaks in an unforeseen way must not take the conversation along.
    'xstate.error.actor.*': [
      {
        guard: { type: 'isBroken', params: ({ event }) => ({ child: event.actorId }) },
        target: '.error',
        actions: { type: 'tellFailed', params: { error: brokenChild } },
      },
      {},
    ],
  },
  states: {
    idle: {
      description: 'Nobody speaks, nothing is due.',
      tags: ['listening'],
      entry: ['dropSpeculation', 'dropReply', { type: 'enter', params: { to: 'idle' } }],
      exit: { type: 'leave', params: { from: 'idle' } },
      always: {
        guard: 'hasAnnouncement',
        target: 'generating',
        actions: ['beginAnnouncement', 'tellGenerating', 'startReply'],
      },
      on: {
        SPEECH_STARTED: { target: 'detecting', actions: { type: 'noteVoiceStarted', params: told } },
        SPEECH_PARTIAL: [
          { guard: { type: 'isEchoOfPartial', params: told } },
          { target: 'detecting', actions: { type: 'notePartial', params: told } },
        ],
        SPEECH_DETECTED: [
          { guard: { type: 'isEchoOfFinal', params: told } },
          { target: 'detecting', actions: { type: 'noteFinal', params: told } },
        ],
        CALLER_TYPED: { target: 'detecting', actions: { type: 'noteTyped', params: told } },
        CONVERSATION_RESUMED: { actions: { type: 'noteResumed', params: told } },
      },
    },

    detecting: {
      description: 'The caller speaks or may go on: is the turn over, and may a reply begin ahead of it?',
      tags: ['listening'],
      type: 'parallel',
      entry: ['dropReply', { type: 'enter', params: { to: 'detecting' } }],
      exit: { type: 'leave', params: { from: 'detecting' } },
      invoke: { src: 'lookout' },
      states: {
        turn: {
          description: 'Endpointing: deciding that the caller has finished.',
          initial: 'hearing',
          on: {
            SPEECH_STARTED: { target: '.hearing', actions: { type: 'noteVoiceStarted', params: told } },
            SPEECH_PARTIAL: [
              { guard: { type: 'isEchoOfPartial', params: told } },
              { target: '.hearing', actions: { type: 'notePartial', params: told } },
            ],
            SPEECH_DETECTED: [
              { guard: { type: 'isEchoOfFinal', params: told } },
              { target: '.hearing', actions: { type: 'noteFinal', params: told } },
            ],
            CALLER_TYPED: { target: '.over', actions: { type: 'noteTyped', params: told } },
          },
          states: {
            hearing: {
              description: 'Voice activity is open; every speech event starts the wait for its end anew.',
              always: [
                { guard: 'endsAtOnce', target: 'over' },
                { guard: and(['isVoiceOver', 'asksDetector']), target: 'judging' },
                { guard: 'isVoiceOver', target: 'waiting' },
              ],
              after: { maxOpenMs: { target: 'hearing', reenter: true, actions: 'assumeVoiceEnded' } },
            },
            judging: {
              description: 'The detector is asked whether these words sound finished.',
              invoke: {
                src: 'detector',
                id: 'detector',
                input: ({ context }) => ({
                  conversationId: context.conversationId,
                  text: [...context.said.finals].join(' '),
                }),
              },
              on: { ENDPOINT_PREDICTED: { target: 'hearing', actions: { type: 'notePrediction', params: told } } },
            },
            waiting: {
              description: 'Nobody speaks; the turn is over when the delay has passed.',
              after: { endpointing: 'over' },
            },
            over: {
              description: 'Nothing more is awaited: the words are committed, if there are any.',
              always: [
                { guard: 'hasNoWords', target: '#conversation.idle', actions: 'forgetTurn' },
                { guard: 'wantsNoAnswer', target: '#conversation.idle', actions: 'forgetTurn' },
                {
                  guard: 'isSpeculationRight',
                  target: '#conversation.generating',
                  actions: [
                    'adoptSpeculation',
                    { type: 'endCallerTurn', params: ({ event }) => momentIn(event) },
                    'tellGenerating',
                    'tellGenerated',
                  ],
                },
                {
                  target: '#conversation.generating',
                  actions: [
                    'dropSpeculation',
                    'beginReply',
                    { type: 'endCallerTurn', params: ({ event }) => momentIn(event) },
                    'tellGenerating',
                    'startReply',
                  ],
                },
              ],
            },
          },
        },
        ahead: {
          description: 'Speculation: a reply begun before the turn is committed, its text held back.',
          initial: 'none',
          states: {
            none: {
              description: 'No reply runs ahead.',
              always: [
                { guard: 'maySpeculateAtOnce', target: 'running', actions: ['beginSpeculation', 'startSpeculation'] },
                { guard: 'maySpeculateSoon', target: 'settling' },
              ],
            },
            settling: {
              description: 'A partial is there; is it stable?',
              always: { guard: 'maySpeculateAtOnce', target: 'none' },
              on: { SPEECH_PARTIAL: { target: 'settling', reenter: true } },
              after: { stableMs: { target: 'running', actions: ['beginSpeculation', 'startSpeculation'] } },
            },
            running: {
              description: 'A reply is made for the words as they stand.',
              always: { guard: 'isSpeculationStale', target: 'none', actions: 'dropSpeculation' },
              on: {
                // It was begun for a conversation that was not like this.
                CONVERSATION_CONFIGURED: {
                  target: 'none',
                  actions: [
                    'dropSpeculation',
                    { type: 'adoptPolicy', params: told },
                    { type: 'tellConfigured', params: told },
                  ],
                },
                REPLY_SEGMENT: {
                  guard: { type: 'isFromSpeculation', params: told },
                  actions: { type: 'keepSpeculated', params: told },
                },
                REPLY_RESTARTED: {
                  guard: { type: 'isFromSpeculation', params: told },
                  actions: { type: 'voidSpeculated', params: told },
                },
                REPLY_ENDED: {
                  guard: { type: 'isFromSpeculation', params: told },
                  actions: { type: 'noteSpeculatedTextOver', params: told },
                },
                REPLY_FAILED: {
                  guard: { type: 'isFromSpeculation', params: told },
                  target: 'failed',
                  actions: 'dropSpeculation',
                },
                'xstate.error.actor.*': {
                  guard: { type: 'isFromSpeculation', params: ({ event }) => ({ replyId: event.actorId }) },
                  target: 'failed',
                  actions: 'dropSpeculation',
                },
              },
            },
            failed: {
              description: 'It could not run ahead; new words may try again.',
              on: { SPEECH_PARTIAL: 'none', SPEECH_DETECTED: 'none' },
            },
          },
        },
      },
    },

    generating: {
      description: 'A reply was asked for; no segment has reached the sink.',
      tags: ['interruptible'],
      entry: { type: 'enter', params: { to: 'generating' } },
      exit: { type: 'leave', params: { from: 'generating' } },
      initial: 'flowing',
      on: {
        ...overReply('.flowing'),
        TURN_STORED: {
          guard: { type: 'isTurnAwaited', params: told },
          actions: { type: 'noteStored', params: told },
        },
        REPLY_SEGMENT: {
          guard: { type: 'isFromReply', params: told },
          actions: { type: 'keepSegment', params: told },
        },
        REPLY_RESTARTED: {
          guard: { type: 'isFromReply', params: told },
          actions: { type: 'voidSegments', params: told },
        },
        REPLY_FAILED: {
          guard: { type: 'isFromReply', params: told },
          target: 'error',
          actions: { type: 'tellFailed', params: told },
        },
      },
      states: {
        flowing: {
          description: 'The first segment is handed over as soon as it is there.',
          always: [
            { guard: 'isVoiceToBeJudged', target: 'held' },
            { guard: and(['hasSegment', 'isStoreAwaited']), target: 'storing' },
            { guard: 'hasSegment', target: '#conversation.responding', actions: ['tolerateVoice', 'tellStarted'] },
            { guard: and(['isTextOver', 'isTurnOpen']), target: '#conversation.detecting', actions: 'tellFinished' },
            { guard: 'isTextOver', target: '#conversation.idle', actions: 'tellFinished' },
          ],
          on: { SPEECH_ENDED: { actions: [{ type: 'noteVoiceEnded', params: told }, 'forgetVoice'] } },
        },
        storing: {
          description: 'The first segment is there; the store is given a moment to have the words that it answers.',
          tags: ['held'],
          always: [
            { guard: 'isVoiceToBeJudged', target: 'held' },
            { guard: not(and(['hasSegment', 'isStoreAwaited'])), target: 'flowing' },
          ],
          on: { SPEECH_ENDED: { actions: [{ type: 'noteVoiceEnded', params: told }, 'forgetVoice'] } },
          // Once a reply: whatever holds it back or starts it anew, the store has had its moment.
          exit: 'awaitStoreNoMore',
          after: { storeCommitMs: 'flowing' },
        },
        held: {
          description: 'The caller makes a sound: the text is held back until it is known to be nothing.',
          tags: ['held'],
          initial: 'voiced',
          states: {
            voiced: {
              description: 'Voice activity is open.',
              initial: 'brief',
              after: { longestHold: { target: '#conversation.generating.flowing', actions: 'tolerateVoice' } },
              states: {
                brief: {
                  description: 'Too short to count yet.',
                  always: { guard: 'isVoiceOver', target: '#conversation.generating.flowing', actions: 'forgetVoice' },
                  after: { minDuration: 'sustained' },
                },
                sustained: {
                  description: 'Long enough to be speech; its transcript is awaited.',
                  always: { guard: 'isVoiceOver', target: '#conversation.generating.held.settling' },
                },
              },
            },
            settling: {
              description: 'The sound is over; should no transcript come, the text is released.',
              always: { guard: 'isVoiceOpen', target: 'voiced.sustained' },
              after: { falseAfterMs: { target: '#conversation.generating.flowing', actions: 'forgetVoice' } },
            },
          },
        },
      },
    },

    responding: {
      description: 'Segments are with the sink. What the sink acknowledges is what was heard.',
      tags: ['audible', 'interruptible'],
      entry: { type: 'enter', params: { to: 'responding' } },
      exit: { type: 'leave', params: { from: 'responding' } },
      invoke: {
        src: 'player',
        id: 'player',
        input: ({ context }) => ({
          conversationId: context.conversationId,
          replyId: context.reply?.replyId ?? '',
          segments: [...(context.reply?.waiting ?? [])],
        }),
      },
      initial: 'streaming',
      on: {
        ...overReply('.streaming'),
        REPLY_SEGMENT: {
          guard: { type: 'isFromReply', params: told },
          actions: { type: 'forwardSegment', params: told },
        },
        // What the sink has is played out before the turn fails.
        REPLY_FAILED: {
          guard: { type: 'isFromReply', params: told },
          actions: { type: 'noteFailure', params: told },
        },
        PLAYBACK_HANDED: { actions: { type: 'tellSegment', params: told } },
        PLAYBACK_FINISHED: { actions: 'notePlayed' },
        PLAYBACK_PAUSED: { target: '.paused' },
        PLAYBACK_FAILED: { target: 'error', actions: { type: 'tellFailed', params: told } },
      },
      states: {
        streaming: {
          description: 'Text still arrives.',
          entry: 'noteHandedOver',
          initial: 'quiet',
          always: { guard: 'isTextOver', target: 'draining' },
          states: {
            quiet: {
              description: 'The caller is silent, or makes a sound that is allowed for.',
              always: { guard: 'isVoiceToBeJudged', target: 'voiced' },
              on: { SPEECH_ENDED: { actions: [{ type: 'noteVoiceEnded', params: told }, 'forgetVoice'] } },
            },
            voiced: {
              description: 'The caller makes a sound; after a while the sink is asked to pause.',
              always: { guard: 'isVoiceOver', target: 'quiet', actions: 'forgetVoice' },
              after: { minDuration: { target: 'doubted', actions: 'wantPause' } },
            },
            doubted: {
              description: 'The sink cannot pause: it plays on until a transcript decides.',
              always: { guard: 'isVoiceOver', target: 'quiet' },
            },
          },
        },
        draining: {
          description: 'The text is complete, the sound plays on.',
          initial: 'quiet',
          always: [
            {
              guard: and(['isPlayedOut', 'hasFailed']),
              target: '#conversation.error',
              actions: { type: 'tellFailed', params: {} },
            },
            { guard: and(['isPlayedOut', 'isTurnOpen']), target: '#conversation.detecting', actions: 'tellFinished' },
            { guard: 'isPlayedOut', target: '#conversation.idle', actions: 'tellFinished' },
          ],
          states: {
            quiet: {
              description: 'The caller is silent, or makes a sound that is allowed for.',
              always: { guard: 'isVoiceToBeJudged', target: 'voiced' },
              on: { SPEECH_ENDED: { actions: [{ type: 'noteVoiceEnded', params: told }, 'forgetVoice'] } },
            },
            voiced: {
              description: 'The caller makes a sound; after a while the sink is asked to pause.',
              always: { guard: 'isVoiceOver', target: 'quiet', actions: 'forgetVoice' },
              after: { minDuration: { target: 'doubted', actions: 'wantPause' } },
            },
            doubted: {
              description: 'The sink cannot pause: it plays on until a transcript decides.',
              always: { guard: 'isVoiceOver', target: 'quiet' },
            },
          },
        },
        paused: {
          description: 'The sink is paused: a possible interruption is being judged.',
          tags: ['held'],
          initial: 'voiced',
          on: {
            SPEECH_PARTIAL: {
              guard: { type: 'isBackchannel', params: told },
              target: 'streaming',
              actions: ['wantResumption', 'noteBackchannel', 'tellBackchannel'],
            },
            SPEECH_DETECTED: {
              guard: { type: 'isBackchannel', params: told },
              target: 'streaming',
              actions: ['wantResumption', 'noteBackchannel', 'tellBackchannel'],
            },
          },
          states: {
            voiced: {
              description: 'Voice activity is open.',
              always: { guard: 'isVoiceOver', target: 'settling' },
              after: { maxOpenMs: { target: 'settling', actions: 'assumeVoiceEnded' } },
            },
            settling: {
              description: 'The sound is over; should no transcript come, the sink resumes where it paused.',
              always: { guard: 'isVoiceOpen', target: 'voiced' },
              after: {
                falseAfterMs: {
                  target: '#conversation.responding.streaming',
                  actions: ['wantResumption', 'forgetVoice'],
                },
              },
            },
          },
        },
      },
    },

    error: {
      description:
        'The turn failed. The next speech leaves this state as from idle; with nothing said it passes by itself.',
      tags: ['listening'],
      entry: ['dropSpeculation', 'dropReply', { type: 'enter', params: { to: 'error' } }],
      exit: { type: 'leave', params: { from: 'error' } },
      always: { guard: 'isTurnOpen', target: 'detecting' },
      on: {
        SPEECH_STARTED: { target: 'detecting', actions: { type: 'noteVoiceStarted', params: told } },
        SPEECH_PARTIAL: [
          { guard: { type: 'isEchoOfPartial', params: told } },
          { target: 'detecting', actions: { type: 'notePartial', params: told } },
        ],
        SPEECH_DETECTED: [
          { guard: { type: 'isEchoOfFinal', params: told } },
          { target: 'detecting', actions: { type: 'noteFinal', params: told } },
        ],
        CALLER_TYPED: { target: 'detecting', actions: { type: 'noteTyped', params: told } },
      },
      after: { errorResetMs: 'idle' },
    },

    stopped: {
      description: 'The conversation is over.',
      type: 'final',
      entry: ['dropSpeculation', 'dropReply', { type: 'enter', params: { to: 'stopped' } }],
    },
  },
})

/** Input for a conversation with the default policy; what is given replaces the default's values, section by section. */
export function conversationInput(given: { conversationId?: string; policy?: PolicyChanges } = {}): ConversationInput {
  const { conversationId = 'default', policy = {} } = given
  return {
    conversationId,
    policy: {
      endpointing: { ...defaultPolicy.endpointing, ...policy.endpointing },
      speculation: { ...defaultPolicy.speculation, ...policy.speculation },
      interruption: { ...defaultPolicy.interruption, ...policy.interruption },
      assistantNames: policy.assistantNames ?? defaultPolicy.assistantNames,
      errorResetMs: policy.errorResetMs ?? defaultPolicy.errorResetMs,
      store: { ...defaultPolicy.store, ...policy.store },
    },
  }
}

/** A policy with only the values that differ from the default. */
export interface PolicyChanges {
  endpointing?: Partial<ConversationPolicy['endpointing']>
  speculation?: Partial<ConversationPolicy['speculation']>
  interruption?: Partial<ConversationPolicy['interruption']>
  assistantNames?: readonly string[]
  errorResetMs?: number
  store?: Partial<ConversationPolicy['store']>
}
