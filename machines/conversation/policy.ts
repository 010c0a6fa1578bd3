import { backchannelsOf, stopWordsOf } from '../phrases.ts'

/** The settings that the conversation chart decides by. Plain data; times in milliseconds. */
export interface ConversationPolicy {
  endpointing: {
    minDelayMs: number
    maxDelayMs: number
    noVadDelayMs: number
    maxOpenMs: number
    threshold: number
    /** A detector is there to be asked whether the turn is over. */
    asksDetector: boolean
  }
  speculation: { enabled: boolean; stableMs: number; maxAttempts: number }
  interruption: {
    enabled: boolean
    minDurationMs: number
    minWords: number
    falseAfterMs: number
    backchannels: readonly string[]
    stopWords: readonly string[]
  }
  /** Names that address the assistant in ambient speech. */
  assistantNames: readonly string[]
  errorResetMs: number
  /** A store is there: the first segment waits for it to have the caller's words, this long at most. */
  store: { keepsTurns: boolean; commitMs: number }
}

export const defaultPolicy: ConversationPolicy = {
  endpointing: {
    minDelayMs: 500,
    maxDelayMs: 3_000,
    noVadDelayMs: 0,
    maxOpenMs: 30_000,
    threshold: 0.5,
    asksDetector: false,
  },
  speculation: { enabled: false, stableMs: 300, maxAttempts: 3 },
  interruption: {
    enabled: true,
    minDurationMs: 500,
    minWords: 1,
    falseAfterMs: 2_000,
    backchannels: backchannelsOf('en'),
    stopWords: stopWordsOf('en'),
  },
  assistantNames: [],
  errorResetMs: 3_000,
  store: { keepsTurns: false, commitMs: 50 },
}
