import { setImmediate } from 'node:timers'
import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'

/** A clock that stands still until it is told to go on. */
export interface VirtualClock extends Clock {
  /** How many timers are scheduled and neither fired nor cancelled. */
  readonly pending: number
  /** Runs everything due up to and at `ms`, then stands at `ms`. A moment in the past only lets promises settle. */
  advanceTo(ms: Milliseconds): Promise<void>
  /**
   * Runs until nothing is scheduled, or until the moment `limitMs` (120 000 after its start); answers the moment it
   * stands at.
   */
  runUntilIdle(limitMs?: Milliseconds): Promise<Milliseconds>
  /** Lets promise chains settle without moving the clock. */
  settle(): Promise<void>
}

interface Timer {
  dueMs: Milliseconds
  run: () => void
}

// Taken at import, so that fake timers installed later do not move it.
const inNextMacrotask = setImmediate

/** A promise chain ends within one macrotask; a second round is for what began another one meanwhile. */
async function settle(): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    await new Promise<void>((resolve) => {
      inNextMacrotask(resolve)
    })
  }
}

/**
 * A deterministic clock for tests: it moves only by `advanceTo` and `runUntilIdle`. Between two timers all promises
 * settle, so that what a timer set going has come to rest before the next one fires. It starts at `startAtMs` (0 by
 * default); code that mistakes a moment for a span shows it on a clock that starts later.
 *
 *     const clock = virtualClock()
 *     const service = createLlmService({ clock, backend: scriptedBackend({ replies: [{ text: 'Hi.' }] }, clock) })
 *     await clock.advanceTo(500)
 */
export function virtualClock({ startAtMs = 0 }: { startAtMs?: Milliseconds } = {}): VirtualClock {
  // In the order of scheduling, which decides among timers due at the same moment.
  const timers = new Set<Timer>()
  let nowMs = startAtMs

  const firstDue = (limitMs: Milliseconds): Timer | undefined => {
    let first: Timer | undefined
    for (const timer of timers) {
      if (timer.dueMs > limitMs) continue
      if (first === undefined || timer.dueMs < first.dueMs) first = timer
    }
    return first
  }

  const runDue = async (limitMs: Milliseconds) => {
    await settle()
    for (let timer = firstDue(limitMs); timer !== undefined; timer = firstDue(limitMs)) {
      timers.delete(timer)
      nowMs = timer.dueMs
      timer.run()
      await settle()
    }
  }

  return {
    now: () => nowMs,
    schedule(run, ms) {
      const timer: Timer = { dueMs: nowMs + Math.max(0, ms), run }
      timers.add(timer)
      return () => {
        timers.delete(timer)
      }
    },
    get pending() {
      return timers.size
    },
    async advanceTo(ms) {
      await runDue(ms)
      nowMs = Math.max(nowMs, ms)
    },
    async runUntilIdle(limitMs = startAtMs + 120_000) {
      await runDue(limitMs)
      if (timers.size > 0) nowMs = Math.max(nowMs, limitMs)
      return nowMs
    },
    settle,
  }
}

/** The same clock with other moments: what is measured on it begins at `byMs` and not at 0. */
export function laterBy(clock: Clock, byMs: Milliseconds): Clock {
  return { now: () => clock.now() + byMs, schedule: (run, ms) => clock.schedule(run, ms) }
}
