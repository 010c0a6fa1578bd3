import { candidatesAfter, home, routeOf, type AttemptFailure, type Candidate, type Route } from './policy.ts'
import type { CallAnswer, CallRound, WantedCall } from '../tool-calls.ts'
import type {
  Failure,
  ReplyCommand,
  ReplyEnd,
  ReplyInput,
  ReplyReport,
  Segment,
  ToolCall,
  Usage,
} from '../vocabulary.ts'

/* What the reply chart remembers, is told and tells. */

/** What the actors tell the chart. */
export type ReplyEvent =
  | ReplyCommand
  | { type: 'WORDS_UNKNOWN' }
  | { type: 'MODELS_LOCATED'; candidates: Candidate[] }
  | { type: 'BACKEND_REACHED' }
  | { type: 'SLOT_AWAITED' }
  | { type: 'SLOT_GRANTED'; firstTokenMs: number; loading: boolean }
  | { type: 'BACKEND_CONNECTED' }
  | { type: 'FIRST_TOKEN_RECEIVED' }
  | { type: 'SEGMENT_CUT'; segment: Segment }
  | { type: 'TEXT_COMPLETED'; end: Omit<ReplyEnd, 'fallback'> }
  /** The attempt ended with calls: it is over, the reply is not. */
  | ({ type: 'TOOLS_WANTED' } & WantedRound)
  | { type: 'CALL_ANSWERED'; answer: CallAnswer }
  | { type: 'ATTEMPT_FAILED'; failure: AttemptFailure }

export interface WantedRound {
  /** What the attempt said before it called. */
  text: string
  calls: WantedCall[]
  replyTokens?: number
}

export interface ReplyContext extends ReplyInput {
  /** Counted from 1; a higher one replaces what lower ones said. */
  attempt: number
  current: Candidate | null
  remaining: Candidate[]
  /** The model that was asked first: another one that answers is a fallback. */
  firstModel: string | null
  /** Origins where nothing could be located. */
  leftAlone: string[]
  /** Tries of the current model after its first, by what made them worth it. */
  retries: number
  amendments: number
  emptyReplies: number
  firstTokenMs: number
  failure: AttemptFailure | null
  /** What the segments reported so far say, and how many they are. */
  reported: { text: string; segments: number }
  /** Functions called so far, with what came of them. No failure takes them back: nothing is called twice. */
  rounds: CallRound[]
  /** Rounds with a call that could not be made. */
  refusals: number
}

export interface LocateInput {
  reply: ReplyInput
  leftAlone: string[]
}

export interface AttemptInput {
  reply: ReplyInput
  attempt: number
  candidate: Candidate
  /** The last prompt was too long for the server: make this one shorter. */
  shorter: boolean
  /** What is with the sink already; this attempt goes on from there. */
  after: { text: string; segments: number }
  /** What was called before, and what came of it. */
  rounds: readonly CallRound[]
}

export interface CallInput {
  reply: ReplyInput
  calls: ToolCall[]
}

/** Stands where a candidate is due and none is there. */
export const nobody: Candidate = { model: 'none', target: 0, origin: home }
export const mistake: Failure = {
  code: 'internal',
  message: 'a part of the reply threw; this is a mistake in colloquy or in a hook',
  retryable: false,
}
export const nothingLocated: Failure = {
  code: 'model-missing',
  message: 'no model to ask; pull one (ollama pull llama3.2:3b) or set defaultModel',
  retryable: false,
}

export function asked({ conversationId, replyId, turnId, purpose, text }: ReplyContext): ReplyInput {
  return { conversationId, replyId, turnId, purpose, text }
}

export function route({ failure }: ReplyContext): Route {
  return failure === null ? { next: 'nowhere' } : routeOf(failure)
}

export function rest({ failure, current, remaining }: ReplyContext): Candidate[] {
  return failure === null ? [] : candidatesAfter(failure, current, remaining)
}

export function segmentReport({ replyId, attempt }: ReplyContext, segment: Segment): ReplyReport {
  return { type: 'REPLY_SEGMENT', replyId, attempt, segment }
}

export function restartReport({ replyId, attempt }: ReplyContext): ReplyReport {
  return { type: 'REPLY_RESTARTED', replyId, attempt }
}

export function endReport(
  { replyId, firstModel, current, rounds }: ReplyContext,
  end: Omit<ReplyEnd, 'fallback'>,
): ReplyReport {
  const fallback = current !== null && current.model !== firstModel
  return { type: 'REPLY_ENDED', replyId, ...end, usage: usageOfAll(rounds, end.usage), fallback }
}

/** Tokens written in all rounds; those read are the last prompt's, which holds the others. */
function usageOfAll(rounds: readonly CallRound[], last: Usage): Usage {
  const written = [...rounds, last].flatMap(({ replyTokens }) => (replyTokens === undefined ? [] : [replyTokens]))
  return written.length === 0 ? last : { ...last, replyTokens: written.reduce((sum, tokens) => sum + tokens, 0) }
}

/** The rounds with a change in the newest. */
export function withNewest(rounds: readonly CallRound[], change: (round: CallRound) => CallRound): CallRound[] {
  return rounds.map((round, at) => (at === rounds.length - 1 ? change(round) : round))
}
