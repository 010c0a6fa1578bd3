import type { Failure, Timings } from '../../../machines/vocabulary.ts'

/** How a turn ended. */
export interface TurnOutcome {
  /** Absent where the conversation was over before the words became a turn. */
  turnId?: string
  ending: 'finished' | 'interrupted' | 'failed'
  /** The reply's source text, as far as it was generated. */
  text: string
  /** What of it was heard. */
  heard: string
  model?: string
  backend?: string
  timings: Timings
  error?: Failure
}
