/** What is known of one sequence when a prompt looks for a place. */
export interface SequenceState {
  /** Tokens whose keys and values it holds. */
  tokens: readonly number[]
  busy: boolean
  /** Counts up with every use; 0: never used. */
  usedAt: number
}

/** How many tokens two lists share from their beginning. */
export function commonPrefix(one: readonly number[], other: readonly number[]): number {
  const end = Math.min(one.length, other.length)
  let at = 0
  while (at < end && one[at] === other[at]) at++
  return at
}

/**
 * Index of the sequence that a prompt should be read into, or undefined while all are busy.
 *
 * The one with the longest common prefix wins, if at least half of what it holds stays of use: two conversations
 * share a system prompt, and neither may push the other out over that alone. Else an empty one, else the one least
 * recently used.
 */
export function chooseSequence(sequences: readonly SequenceState[], prompt: readonly number[]): number | undefined {
  let best: { index: number; shared: number } | undefined
  let oldest: { index: number; usedAt: number } | undefined
  for (const [index, { tokens, busy, usedAt }] of sequences.entries()) {
    if (busy) continue
    const shared = commonPrefix(tokens, prompt)
    if (shared > 0 && shared * 2 >= tokens.length && shared > (best?.shared ?? 0)) best = { index, shared }
    const age = tokens.length === 0 ? -1 : usedAt
    if (oldest === undefined || age < oldest.usedAt) oldest = { index, usedAt: age }
  }
  return best?.index ?? oldest?.index
}
