import type { Clock } from '../../machines/vocabulary.ts'

/** Monotonic, so that a jump of the wall clock changes nothing; epoch-based, so that a bus may stamp with Date.now(). */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  schedule(run, ms) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
