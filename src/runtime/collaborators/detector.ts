import type { Clock } from '../../../machines/vocabulary.ts'
import { demand, property } from './check.ts'
import { inTime } from './in-time.ts'
import { createOutages } from './isolate.ts'
import type { Report } from './report.ts'

/**
 * Says how likely the caller has finished, from 0 to 1. Below `endpointing.threshold` the turn waits for maxDelayMs.
 * One that fails or takes longer than 500 ms is not asked again for these words; its signal aborts then.
 */
export type EndpointDetector = (
  turn: { conversationId: string; text: string },
  signal: AbortSignal,
) => { endOfTurn: number } | Promise<{ endOfTurn: number }>

/** How likely the caller has finished. Never rejects. */
export type GuardedDetector = (turn: { conversationId: string; text: string }, signal: AbortSignal) => Promise<number>

const detectorMs = 500
/** The turn is taken as over: minDelayMs decides. */
const over = 1

export function guardDetector(detector: EndpointDetector, clock: Clock, report: Report): GuardedDetector {
  demand(typeof detector === 'function', 'endpointing.detector must be a function (turn, signal) => { endOfTurn }')
  const outages = createOutages((_, thrown) =>
    report('the endpoint detector failed; the turn is taken as over', thrown),
  )
  return async (turn, signal) => {
    try {
      const answer = await inTime({ clock, ms: detectorMs, signal }, (own) => detector(turn, own))
      const endOfTurn = property(answer, 'endOfTurn')
      if (typeof endOfTurn !== 'number' || Number.isNaN(endOfTurn)) {
        throw new TypeError('it gave something else than { endOfTurn: a number from 0 to 1 }')
      }
      outages.over('')
      return endOfTurn
    } catch (thrown) {
      if (!signal.aborted) outages.begin('', thrown)
      return over
    }
  }
}
