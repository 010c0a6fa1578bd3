import type { Clock } from '../../machines/vocabulary.ts'
import { patientClock } from '../../src/runtime/patient-clock.ts'

/** The service's own clock over an event loop whose time a test moves; what comes over sockets is real. */
export interface StallingClock extends Clock {
  /** The loop stands still for so long: what is due by then runs at once, before a socket is read. */
  stall(ms: number): void
  /** The loop turns for so long: what is due runs in its moment, and sockets are read meanwhile. */
  pass(ms: number): Promise<void>
  /** What is still scheduled, and what waits for the sockets. */
  readonly pending: number
}

interface Timer {
  atMs: number
  run: () => void
}

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

export function stallingClock(startMs = 1_000_000): StallingClock {
  const timers = new Set<Timer>()
  const reading = new Set<NodeJS.Immediate>()
  let nowMs = startMs

  const firstDue = () => [...timers].filter(({ atMs }) => atMs <= nowMs).reduce<Timer | undefined>(earlier, undefined)
  const earlier = (a: Timer | undefined, b: Timer) => (a === undefined || b.atMs < a.atMs ? b : a)
  function runDue(): void {
    for (let due = firstDue(); due !== undefined; due = firstDue()) {
      timers.delete(due)
      due.run()
    }
  }

  const clock = patientClock({
    now: () => nowMs,
    after(run, ms) {
      const timer = { atMs: nowMs + ms, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    afterReading(run) {
      const waiting = setImmediate(() => {
        reading.delete(waiting)
        run()
      })
      reading.add(waiting)
      return () => {
        reading.delete(waiting)
        clearImmediate(waiting)
      }
    },
  })

  return {
    ...clock,
    stall(ms) {
      nowMs += ms
      runDue()
    },
    async pass(ms) {
      const endMs = nowMs + ms
      for (;;) {
        const next = [...timers].reduce<Timer | undefined>(earlier, undefined)
        if (next === undefined || next.atMs > endMs) break
        nowMs = Math.max(nowMs, next.atMs)
        runDue()
        await turn()
      }
      nowMs = endMs
    },
    get pending() {
      return timers.size + reading.size
    },
  }
}
