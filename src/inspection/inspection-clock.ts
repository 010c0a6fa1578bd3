import { performance } from 'node:perf_hooks'
import { clearTimeout, setTimeout } from 'node:timers'
import type { Clock } from '../../machines/vocabulary.ts'

/**
 * The inspector watches services from outside, also several with clocks of their own, so it has one too. It stamps as
 * the runtime's does, and its timers never keep a program alive.
 */
export const inspectionClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  schedule(run, ms) {
    const timer = setTimeout(run, ms).unref()
    return () => clearTimeout(timer)
  },
}
