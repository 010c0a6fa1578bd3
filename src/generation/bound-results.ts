import type { ChatMessage } from '../backends/contract.ts'
import { estimateTokens, headWithin } from './token-estimate.ts'

/** What the results of one round may take of the window: those of all rounds together leave room for the words. */
const share = 0.2

/**
 * Cuts what functions gave so that the results of one round take no more than a fifth of `windowTokens`. Short ones stay
 * whole, and the long ones share what is left. It depends on the results of the round and on the window alone, never on
 * what was learned meanwhile: the same round has the same bytes in every prompt.
 */
export function boundResults(messages: readonly ChatMessage[], windowTokens: number): ChatMessage[] {
  const bounded = [...messages]
  let first = 0
  for (let at = 0; at <= bounded.length; at++) {
    if (bounded[at]?.role === 'tool') continue
    const round = bounded.slice(first, at)
    bounded.splice(first, round.length, ...boundRound(round, Math.floor(windowTokens * share)))
    first = at + 1
  }
  return bounded
}

function boundRound(results: readonly ChatMessage[], roomTokens: number): ChatMessage[] {
  const each = fairShare(
    results.map(({ content }) => estimateTokens(content)),
    roomTokens,
  )
  return results.map((result) => ({ ...result, content: bounded(result.content, each) }))
}

/** What each may take so that all fit: what the short ones leave is for the long ones. */
function fairShare(tokens: readonly number[], roomTokens: number): number {
  let left = roomTokens
  let count = tokens.length
  for (const cost of tokens.toSorted((one, other) => one - other)) {
    if (cost > left / count) return left / count
    left -= cost
    count--
  }
  return Infinity
}

function bounded(text: string, tokens: number): string {
  if (estimateTokens(text) <= tokens) return text
  const note = `… (cut: ${text.length} characters in all)`
  return headWithin(text, tokens - estimateTokens(note)) + note
}
