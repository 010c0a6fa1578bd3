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

/** A clock that calls `stalled` once, `limitMs` after it was started or last restarted, pauses left out. */
export function createStallClock(clock: Clock, limitMs: Milliseconds, stalled: () => void): StallClock {
  let cancel: (() => void) | null = null
  let leftMs = limitMs
  let sinceMs = 0
  let state: 'new' | 'running' | 'paused' | 'stopped' = 'new'

  const schedule = () => {
    sinceMs = clock.now()
    cancel = clock.schedule(() => {
      cancel = null
      state = 'stopped'
      stalled()
    }, leftMs)
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
      leftMs = Math.max(0, leftMs - (clock.now() - sinceMs))
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
