import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'

/** What an event loop offers. */
export interface LoopTimers {
  now(): Milliseconds
  /** Runs once `ms` have passed; after a stall at once, before anything that has come meanwhile is read. */
  after(run: () => void, ms: Milliseconds): () => void
  /** Runs once what lies in the sockets has been read. */
  afterReading(run: () => void): () => void
}

/**
 * A time is waited for in parts, and a stall costs it no more than the part that it falls into: a tenth, or a second of a
 * long one. What takes minutes is not worth that many timers.
 */
const partOf = (ms: Milliseconds): Milliseconds => Math.max(50, Math.min(ms / 10, 1_000), ms / 100)
/** A part that ends so much later than it should has seen a stall. A loop that runs is a few milliseconds late. */
const lateMs = 20
/** A loop that always stalls: its time-outs are over all the same, after so many parts more. */
const mostExtensions = 3

/**
 * A clock whose times leave out what a stall of the event loop took: a long computation, a process that was stopped, a
 * machine with too much to do. After a stall everything is due at once, and Node runs timers before it reads a socket;
 * a time-out would be believed while its answer lies there, and a connection be given up that was never tried.
 *
 * A time that a stall used up is extended by one part, for answers that need several turns of the loop (a host name, a
 * handshake, gzip, another thread). At its end it always waits for one more turn.
 */
export function patientClock({ now, after, afterReading }: LoopTimers): Clock {
  return {
    now,
    schedule(run, ms) {
      const partMs = partOf(ms)
      let leftMs = ms
      let extensions = 0
      let cancel = () => {}

      const wait = () => {
        const forMs = Math.min(leftMs, partMs)
        const sinceMs = now()
        cancel = after(() => {
          const tookMs = now() - sinceMs
          const hasStalled = tookMs > forMs + lateMs
          leftMs -= hasStalled ? forMs : tookMs
          if (hasStalled && leftMs < partMs && extensions < mostExtensions) {
            extensions += 1
            leftMs = partMs
          }
          // Timers count whole milliseconds.
          if (leftMs >= 1) wait()
          else cancel = afterReading(run)
        }, forMs)
      }

      wait()
      return () => cancel()
    },
  }
}
