import type { ErrorActorEvent } from 'xstate'
import type {
  AmbientSpeechDetected,
  AmbientSpeechIgnored,
  CallerTurnEnded,
  ConversationConfigured,
  ErrorOccurred,
  Failure,
  InterruptReason,
  Milliseconds,
  PlaybackReport,
  ReplyEnd,
  ReplyReport,
  ResponseDelayed,
  ResponseGenerating,
  ResponseSegment,
  ResponseStarted,
  SpeechEvent,
  StateChanged,
  ToolCalled,
} from '../vocabulary.ts'
import type { ConversationPolicy } from './policy.ts'

/** What to do with ambient speech. */
export type AmbientVerdict = 'answer' | 'ignore' | 'context'

/**
 * Everything the conversation chart understands: the caller's events, what the program wants, and what the reply and
 * the player report. `atMs` may be left out; time is then taken as standing still between events.
 */
export type ConversationEvent =
  | Exclude<SpeechEvent, AmbientSpeechDetected>
  /** `verdict`: what the ambient policy decided; without it the chart answers when it is named. */
  | (AmbientSpeechDetected & { verdict?: AmbientVerdict })
  /** A typed caller turn, complete as it stands. `asker`: who waits for its outcome. */
  | { type: 'CALLER_TYPED'; text: string; speaker?: string; asker?: string; atMs?: Milliseconds }
  /** The assistant has something to say by itself. `asker`: who waits for its outcome. */
  | { type: 'ANNOUNCEMENT_MADE'; text: string; protected: boolean; asker?: string; atMs?: Milliseconds }
  /** The program wants the reply to end, protected or not. */
  | { type: 'REPLY_UNWANTED'; reason?: string; atMs?: Milliseconds }
  /** The detector's word: how likely the turn is over, from 0 to 1. */
  | { type: 'ENDPOINT_PREDICTED'; endOfTurn: number; atMs?: Milliseconds }
  /** What was kept of an earlier run has been read: ids go on from there. */
  | { type: 'CONVERSATION_RESUMED'; turns: number; replies: number; atMs?: Milliseconds }
  /** The conversation behaves by another policy, from its next reply on. */
  | {
      type: 'CONVERSATION_CONFIGURED'
      settings: readonly string[]
      policy: ConversationPolicy
      atMs?: Milliseconds
    }
  /** Its program leaves; the actor is stopped after this. */
  | { type: 'CONVERSATION_LEFT'; atMs?: Milliseconds }
  /** The store has the caller's words, or could not take them. */
  | { type: 'TURN_STORED'; turnId: string; durable: boolean; atMs?: Milliseconds }
  | ReplyReport
  | PlaybackReport
  | ErrorActorEvent

type Fact<Event> = Omit<Event, 'atMs'>

/** The end of a turn's reply, and who was waiting for it: each asker is named by exactly one ending. */
interface Ending {
  conversationId: string
  turnId: string
  replyId: string
  askers: readonly string[]
}

/** What the chart emits: facts. The runtime adds the moment, the timings and what was heard. */
export type ConversationEmitted =
  | Fact<CallerTurnEnded>
  | Fact<ResponseGenerating>
  | Fact<ResponseDelayed>
  | Fact<ResponseStarted>
  | Fact<ResponseSegment>
  | Fact<ToolCalled>
  | ({ type: 'RESPONSE_GENERATED'; conversationId: string; turnId: string; replyId: string } & ReplyEnd)
  | ({ type: 'RESPONSE_FINISHED' } & Ending)
  | ({ type: 'RESPONSE_INTERRUPTED'; reason: InterruptReason } & Ending)
  /** `failure`: all that is known of it, for whoever waits for the turn. */
  | (Fact<ErrorOccurred> & Ending & { failure: Failure })
  | Fact<AmbientSpeechIgnored>
  | Fact<StateChanged>
  | Fact<ConversationConfigured>
  /** Kept in the trace, not in history: a listener's mm-hmm. */
  | { type: 'BACKCHANNEL_HEARD'; conversationId: string }
