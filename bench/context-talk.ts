/** A conversation to measure with: the same words, replies and barge-ins for every policy. */
import type { ChatMessage } from '../src/backends/contract.ts'

export interface MeasuredTurn {
  utterance: string
  reply: string
  /** Characters of the reply that were heard; all of them, but for a barge-in. */
  heardChars: number
}

/** Small, seeded, good enough to shuffle words (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const words =
  'the a light kitchen music please turn what time is it tomorrow weather and then garden door open window call my sister about dinner at seven remind me to buy bread milk some apples when does next train leave for station how long will that take thank you very much'.split(
    ' ',
  )

/** Turns of a household: 15 to 60 tokens of caller, `reply` tokens of assistant, 15 % barge-ins. */
export function measuredTurns(turns: number, reply: readonly [number, number], seed = 7): MeasuredTurn[] {
  const random = seeded(seed)
  const between = (least: number, most: number) => Math.round(least + random() * (most - least))
  const sentence = (tokens: number) =>
    Array.from({ length: tokens }, () => words[Math.floor(random() * words.length)]).join(' ')
  return Array.from({ length: turns }, (_, turn) => {
    const said = `${sentence(between(4, 16))}.`
    const answered = Array.from({ length: 4 }, () => `${sentence(Math.round(between(...reply) / 4))}.`).join(' ')
    const isInterrupted = random() < 0.15
    return {
      utterance: `${turn}: ${said} ${sentence(between(8, 40))}`,
      reply: answered,
      heardChars: isInterrupted ? Math.floor(answered.length * random()) : answered.length,
    }
  })
}

export interface Slide {
  budgetTokens: number
  count(message: ChatMessage): number
}

/** What most clients do: before each turn the oldest message goes until the rest fits. */
export function slide(
  system: ChatMessage,
  history: readonly ChatMessage[],
  { budgetTokens, count }: Slide,
): ChatMessage[] {
  let from = 0
  const total = () => count(system) + history.slice(from).reduce((sum, message) => sum + count(message), 0)
  while (from < history.length - 1 && total() > budgetTokens) from += 1
  return [system, ...history.slice(from)]
}
