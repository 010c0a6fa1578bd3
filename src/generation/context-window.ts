import { LlmError, type ChatMessage } from '../backends/contract.ts'

/** How much of a history goes into a prompt. */
export interface WindowLimits {
  /** Tokens for system prompt and history: window less reply less margin. */
  budget: number
  /** Parts of the budget: above `highWater` turns are evicted after a reply, down to `lowWater`. */
  highWater: number
  lowWater: number
}

/** Tokens of one message. */
export type CountMessage = (message: ChatMessage) => number

/** What is left of a history. */
export interface Kept {
  /** Messages before this one are evicted. */
  from: number
  /** Tokens of the system prompt and what is kept. */
  tokens: number
}

/**
 * Where the kept part of `history` has to begin so that the next prompt fits. Nothing moves while it fits, so that
 * the prefix which the server has cached stays valid; when it must, whole turns go, down to the low-water mark.
 * Throws `context-overflow` when the newest turn alone does not fit. `resultTokens` of `systemTokens` are what functions
 * gave for that turn.
 */
export function fitHistory(
  history: readonly ChatMessage[],
  systemTokens: number,
  from: number,
  count: CountMessage,
  limits: WindowLimits,
  resultTokens = 0,
): Kept {
  const start = from <= lastTurn(history) ? turnAt(history, from) : 0
  const tokens = systemTokens + sum(history, start, count)
  if (tokens <= limits.budget) return { from: start, tokens }
  const kept = evict(history, { from: start, tokens }, count, limits.lowWater * limits.budget)
  if (kept.tokens - resultTokens > limits.budget) throw overflow()
  if (kept.tokens > limits.budget) throw resultOverflow()
  return kept
}

/** After a reply: makes room above the high-water mark, while nobody waits. `tokens` counts the reply too. */
export function makeRoom(history: readonly ChatMessage[], kept: Kept, count: CountMessage, limits: WindowLimits): Kept {
  if (kept.tokens <= limits.highWater * limits.budget) return kept
  return evict(history, kept, count, limits.lowWater * limits.budget)
}

/** Drops whole turns from the front until `target` is reached; the newest turn stays. */
export function evict(history: readonly ChatMessage[], kept: Kept, count: CountMessage, target: number): Kept {
  const last = lastTurn(history)
  let { from, tokens } = kept
  while (tokens > target && from < last) {
    do {
      const message = history[from]
      if (message) tokens -= count(message)
      from++
    } while (from < last && history[from]?.role !== 'user')
  }
  return { from, tokens }
}

/** A turn begins with the caller's words; calls of tools, their results and the reply belong to it. */
function lastTurn(history: readonly ChatMessage[]): number {
  return Math.max(
    0,
    history.findLastIndex(({ role }) => role === 'user'),
  )
}

/** Where the turn of a message begins: never at a result, which would be without its call. */
function turnAt(history: readonly ChatMessage[], from: number): number {
  let start = from
  while (start > 0 && history[start]?.role !== 'user') start--
  return start
}

function sum(history: readonly ChatMessage[], from: number, count: CountMessage): number {
  let tokens = 0
  for (let index = from; index < history.length; index++) {
    const message = history[index]
    if (message) tokens += count(message)
  }
  return tokens
}

/** The error of words that no eviction makes fit. */
export function overflow(): LlmError {
  return new LlmError('context-overflow', {
    message:
      "the words do not fit into the model's window; say less at once, raise context.contextTokens, or shorten the system prompt",
  })
}

/** The error of words that fit, and of results beside them that do not. */
export function resultOverflow(): LlmError {
  return new LlmError('context-overflow', {
    message:
      "what the functions gave does not fit into the model's window beside the words; let them return less, raise context.contextTokens, or shorten the system prompt",
  })
}
