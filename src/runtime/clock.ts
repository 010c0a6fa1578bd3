import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'
import { patientClock } from './patient-clock.ts'

/** Monotonic, so that a jump of the wall clock changes nothing; epoch-based, so that a bus may stamp with Date.now(). */
const now = (): Milliseconds => performance.timeOrigin + performance.now()

/**
 * The clock of a service that was given none. A stall of the event loop counts for nothing: what is scheduled runs after
 * `ms` in which the process was able to listen, and after what has come to its sockets meanwhile was read.
 */
export const systemClock: Clock = patientClock({
  now,
  after(run, ms) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
  afterReading(run) {
    const turn = setImmediate(run)
    return () => clearImmediate(turn)
  },
})
