import type { Clock } from '../../machines/vocabulary.ts'

/** A clock that a test turns by hand; it does not begin at 0. What is due runs in order of its moment, then of its scheduling. */
export interface HandClock extends Clock {
  advance(ms: number): void
  /** How much is still scheduled: 0 is what a test should end with. */
  pending(): number
}

export function handClock(): HandClock {
  let nowMs = 1_700_000_000_000
  let order = 0
  const due = new Map<number, { atMs: number; run: () => void }>()
  const earliest = (untilMs: number): number | undefined => {
    let found: [id: number, atMs: number] | undefined
    for (const [id, { atMs }] of due)
      if (atMs <= untilMs && (found === undefined || atMs < found[1])) found = [id, atMs]
    return found?.[0]
  }
  return {
    now: () => nowMs,
    schedule(run, ms) {
      const id = order
      order += 1
      due.set(id, { atMs: nowMs + ms, run })
      return () => due.delete(id)
    },
    advance(ms) {
      const untilMs = nowMs + ms
      for (let id = earliest(untilMs); id !== undefined; id = earliest(untilMs)) {
        const entry = due.get(id)
        due.delete(id)
        nowMs = Math.max(nowMs, entry?.atMs ?? nowMs)
        entry?.run()
      }
      nowMs = untilMs
    },
    pending: () => due.size,
  }
}
