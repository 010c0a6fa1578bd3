import type { Milliseconds, Usage } from '../../machines/vocabulary.ts'

/** How fast each model has read prompts. */
export interface PromptSpeed {
  learn(key: string, promptMs: Milliseconds | undefined, usage: Usage): void
  /** What a prompt of this length should take; 0 while nothing is known. */
  expectMs(key: string, tokens: number): Milliseconds
}

// The server may have had a part of the prompt cached without saying so, which looks like speed: the slowest of the
// last readings is the one to believe.
const readings = 8

export function createPromptSpeed(): PromptSpeed {
  const msPerToken = new Map<string, number[]>()
  return {
    learn(key, promptMs, { promptTokens, cachedPromptTokens = 0 }) {
      const read = (promptTokens ?? 0) - cachedPromptTokens
      if (promptMs === undefined || read < 16) return
      msPerToken.set(key, [...(msPerToken.get(key) ?? []), promptMs / read].slice(-readings))
    },
    expectMs: (key, tokens) => tokens * Math.max(0, ...(msPerToken.get(key) ?? [])),
  }
}
