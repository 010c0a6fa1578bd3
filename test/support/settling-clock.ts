import type { Clock } from '../../machines/vocabulary.ts'

/** A clock moved by hand that lets promises settle between the moments it stops at. */
export interface SettlingClock extends Clock {
  /** Runs what falls due within `ms`, each at its own moment, and lets promises settle between. */
  advance(ms: number): Promise<void>
  /** What is still scheduled. */
  readonly pending: number
}

export function settlingClock(startMs = 1_700_000_000_000): SettlingClock {
  let nowMs = startMs
  const timers = new Set<{ atMs: number; run: () => void }>()
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  return {
    now: () => nowMs,
    schedule(run, ms) {
      const timer = { atMs: nowMs + Math.max(0, ms), run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    async advance(ms) {
      const endMs = nowMs + ms
      await settle()
      for (;;) {
        let due: { atMs: number; run: () => void } | undefined
        for (const timer of timers) if (timer.atMs <= endMs && (!due || timer.atMs < due.atMs)) due = timer
        if (!due) break
        timers.delete(due)
        nowMs = due.atMs
        due.run()
        await settle()
      }
      nowMs = endMs
    },
    get pending() {
      return timers.size
    },
  }
}
