import type { Clock } from '../../machines/vocabulary.ts'
import { systemClock } from '../../src/runtime/clock.ts'

/** The real clock, which a test may put forward: what is slow on cue is over on cue. */
export interface WindableClock extends Clock {
  /** Puts the clock forward; what falls due runs at once, in order. */
  wind(ms: number): void
  /** How much is still scheduled. */
  readonly pending: number
}

interface Entry {
  dueMs: number
  run: () => void
  disarm: () => void
}

export function windableClock(): WindableClock {
  let ahead = 0
  const entries = new Set<Entry>()
  const now = () => systemClock.now() + ahead

  function arm(entry: Entry): void {
    entry.disarm = systemClock.schedule(() => fire(entry), Math.max(0, entry.dueMs - now()))
  }
  function fire(entry: Entry): void {
    entry.disarm()
    if (entries.delete(entry)) entry.run()
  }

  return {
    now,
    schedule(run, ms) {
      const entry: Entry = { dueMs: now() + ms, run, disarm: () => {} }
      entries.add(entry)
      arm(entry)
      return () => {
        entry.disarm()
        entries.delete(entry)
      }
    },
    wind(ms) {
      ahead += ms
      const due = [...entries].filter(({ dueMs }) => dueMs <= now()).toSorted((a, b) => a.dueMs - b.dueMs)
      for (const entry of due) fire(entry)
      for (const entry of entries) {
        entry.disarm()
        arm(entry)
      }
    },
    get pending() {
      return entries.size
    },
  }
}
