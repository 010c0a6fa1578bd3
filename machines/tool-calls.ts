import type { CallPlace, Failure, ToolCall, ToolOutcome } from './vocabulary.ts'

/* The functions that a model asks for in the course of a reply, in rounds: request, calls, results, request. */

/** A model that has not answered in words by then is not offered functions any more. */
export const mostRounds = 3

/** A call as the reply chart gets it. */
export interface WantedCall extends ToolCall {
  /** Why it cannot be made, in words for the model. It is not run then; this is its result. */
  problem?: string
}

export interface CallAnswer {
  call: ToolCall & CallPlace
  /** In words for the model. */
  result: string
  outcome: ToolOutcome
}

export interface CallRound {
  /** What was said before the calls, as far as it counts. */
  text: string
  /** How many characters the reply had by then. */
  saidChars: number
  /** None: the model wrote one that its server could not read. */
  calls: WantedCall[]
  /** In the order in which they came. */
  answers: CallAnswer[]
  /** What it cost to write the calls, where the server tells. */
  replyTokens?: number
}

/** Whether the model has to be told that it called wrongly. */
export function isRefused({ calls }: Pick<CallRound, 'calls'>): boolean {
  return calls.length === 0 || calls.some(({ problem }) => problem !== undefined)
}

/** What of a round is really run. */
export function callsToRun({ calls }: Pick<CallRound, 'calls'>): ToolCall[] {
  return calls.filter(({ problem }) => problem === undefined)
}

/** The newest round as the conversation is told of it: each call with its place. */
export function callsToTell(rounds: readonly CallRound[]): (ToolCall & CallPlace)[] {
  return rounds.slice(-1).flatMap((round) => callsToRun(round).map((call) => placed(rounds, call)))
}

/** A call of the newest round, with its place. */
export function placed(rounds: readonly CallRound[], call: ToolCall): ToolCall & CallPlace {
  const { calls = [], saidChars = 0 } = rounds.at(-1) ?? {}
  const index = calls.findIndex(({ id }) => id === call.id)
  return { ...call, round: rounds.length, index, ...(saidChars === 0 ? {} : { saidChars }) }
}

export function unanswered(round: CallRound): ToolCall[] {
  return callsToRun(round).filter(({ id }) => !round.answers.some(({ call }) => call.id === id))
}

/** Of a function that was not done in time. */
export function stoppedForTime(call: ToolCall): CallAnswer {
  return { call, result: 'Stopped: it took too long. Whether it had an effect is not known.', outcome: 'aborted' }
}

/** Of a function that ran when its reply ended. */
export function stoppedWithReply(call: ToolCall): CallAnswer {
  const result = 'Stopped: the reply that wanted it was cut. Whether it had an effect is not known.'
  return { call, result, outcome: 'aborted' }
}

export const calledWronglyAgain: Failure = {
  code: 'tool',
  message:
    'the model called functions wrongly again after it was told how; use a model trained for tools, or simpler parameters',
  retryable: false,
}
export const calledTooOften: Failure = {
  code: 'tool',
  message: `the model still called functions after ${mostRounds} rounds of results; let one function do more, or use another model`,
  retryable: false,
}
