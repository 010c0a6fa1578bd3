import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'

/** Gives an event its moment on the service's clock. */
export type Stamps = <Event extends { atMs?: Milliseconds }>(event: Event) => Event

/** A voice activity detector may say so much later that a voice has ended. */
const longestBackMs = 1_000
/** A lag that grows by more than this is a clock that was set back. */
const setBackMs = 10_000

/**
 * Puts the stamps of one source on the service's clock. A source whose first stamp is up to a second old is taken to
 * share that clock; any other has a clock of its own, and the smallest lag seen of it is the difference. What is left is
 * honoured, up to a second back and never ahead; without a stamp it is now.
 */
export function createStamps(clock: Clock): Stamps {
  let leastLagMs: Milliseconds | undefined
  return (event) => {
    const nowMs = clock.now()
    if (event.atMs === undefined) return { ...event, atMs: nowMs }
    const lagMs = nowMs - event.atMs
    const isSetBack = leastLagMs !== undefined && lagMs > leastLagMs + setBackMs
    if (leastLagMs === undefined) leastLagMs = lagMs >= 0 && lagMs <= longestBackMs ? 0 : lagMs
    else leastLagMs = isSetBack ? lagMs : Math.min(leastLagMs, lagMs)
    return { ...event, atMs: nowMs - Math.min(lagMs - leastLagMs, longestBackMs) }
  }
}
