import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'

/** Runs out when nothing is acknowledged for too long; stands still while paused. */
export interface StallClock {
  start(): void
  /** Starts anew: something was acknowledged. */
  restart(): void
  pause(): void
  resume(): void
  stop(): void
}

/** The limit is counted in so many beats: only whole ones, and what a pause leaves of one, are taken from it. */
const beats = 10

/**
 * A clock that calls `stalled` once, `limitMs` after it was started or last restarted, pauses left out. A moment at
 * which nothing could be heard of the sink, because the program itself stood still, costs one beat at most.
 */
export function createStallClock(clock: Clock, limitMs: Milliseconds, stalled: () => void): StallClock {
  let cancel: (() => void) | null = null
  let leftMs = limitMs
  let sinceMs = 0
  let state: 'new' | 'running' | 'paused' | 'stopped' = 'new'

  const beatMs = () => Math.min(leftMs, Math.ceil(limitMs / beats))

  const schedule = () => {
    const ms = beatMs()
    sinceMs = clock.now()
    cancel = clock.schedule(() => {
      leftMs -= ms
      if (leftMs > 0) return schedule()
      cancel = null
      state = 'stopped'
      stalled()
    }, ms)
  }
  const unschedule = () => {
    cancel?.()
    cancel = null
  }

  return {
    start() {
      if (state !== 'new') return
      state = 'running'
      schedule()
    },
    restart() {
      leftMs = limitMs
      if (state !== 'running') return
      unschedule()
      schedule()
    },
    pause() {
      if (state !== 'running') return
      state = 'paused'
      leftMs -= Math.min(clock.now() - sinceMs, beatMs())
      unschedule()
    },
    resume() {
      if (state !== 'paused') return
      state = 'running'
      schedule()
    },
    stop() {
      state = 'stopped'
      unschedule()
    },
  }
}
