import { Subscription } from 'rxjs'
import type { Clock, ErrorCode, PlaybackReport, Segment } from '../../machines/vocabulary.ts'
import type { Settings } from '../config/config.ts'
import type { Ledger } from './ledger.ts'
import type { GuardedSink, Playback } from './sink.ts'
import { expectedSpeechMs } from './speech-length.ts'
import { createStallClock, type StallClock } from './stall-clock.ts'

/** Plays the segments of one reply, one at a time, in order. */
export interface Player {
  /** Queues a segment; it is handed to the sink when the one before has finished. */
  play(segment: Segment): void
  /** Pauses a sink that can pause; one that cannot plays on. */
  pause(): void
  /** Goes on exactly where it paused. */
  resume(): void
  /** Silences at once, for good. What the sink says afterwards is ignored. */
  stop(): void
}

export interface PlayerOptions {
  /** Asked for each segment; null: nothing plays, and a segment counts as heard when it is handed over. */
  sink: () => GuardedSink | null
  ledger: Ledger
  clock: Clock
  settings: { sink: Settings['sink']; segments: Pick<Settings['segments'], 'charMs'> }
  report: (report: PlaybackReport) => void
}

interface Current {
  readonly segment: Segment
  readonly sink: GuardedSink
  readonly subscription: Subscription
  readonly stall: StallClock
  hasStarted: boolean
}

const preparedAhead = 2

/**
 * Makes the player of one reply. It reports what the sink does as facts, and gives up a sink that fails or stalls:
 * after PLAYBACK_FAILED nothing is played any more.
 */
export function createPlayer({ sink, ledger, clock, settings, report }: PlayerOptions): Player {
  const queue: Segment[] = []
  const prepared = new Set<number>()
  let current: Current | null = null
  let pausedSink: GuardedSink | null = null
  let isStopped = false
  let isHandingOver = false

  const stop = () => {
    if (isStopped) return
    isStopped = true
    queue.length = 0
    silence()
    // A sink is not left paused for the next reply.
    const paused = pausedSink
    pausedSink = null
    paused?.resume()
  }

  const silence = () => {
    const silenced = current
    current = null
    silenced?.stall.stop()
    silenced?.subscription.unsubscribe()
  }

  const fail = (code: ErrorCode, message: string) => {
    if (isStopped) return
    stop()
    report({ type: 'PLAYBACK_FAILED', error: { code, message, retryable: true } })
  }

  const next = () => {
    if (isHandingOver) return
    isHandingOver = true
    // A loop and not a recursion: a sink may finish within its subscription.
    while (!isStopped && current === null && pausedSink === null) {
      const segment = queue.shift()
      if (segment === undefined) break
      handOver(segment)
    }
    isHandingOver = false
    prepareAhead()
  }

  const prepareAhead = () => {
    const able = isStopped || queue.length === 0 ? null : sink()
    if (able === null) return
    for (const segment of queue.slice(0, preparedAhead)) {
      if (prepared.has(segment.index)) continue
      prepared.add(segment.index)
      able.prepare(segment)
    }
  }

  const handOver = (segment: Segment) => {
    const able = sink()
    ledger.handed(segment)
    if (able === null) {
      ledger.acknowledged(segment.index, { type: 'finished' }, clock.now())
      report({ type: 'PLAYBACK_HANDED', segment })
      if (!isStopped) report({ type: 'PLAYBACK_FINISHED', index: segment.index })
      return
    }
    const mine: Current = {
      segment,
      sink: able,
      subscription: new Subscription(),
      stall: createStallClock(
        clock,
        expectedSpeechMs(segment.text, settings.segments.charMs) + settings.sink.stallMs,
        () =>
          fail(
            'sink-stalled',
            'The speech sink does not finish a segment. Check that it reports `finished`, or raise sink.stallMs.',
          ),
      ),
      hasStarted: false,
    }
    current = mine
    report({ type: 'PLAYBACK_HANDED', segment })
    if (current !== mine) return
    mine.stall.start()
    if (pausedSink !== null) mine.stall.pause()
    mine.subscription.add(
      able.play(segment).subscribe({
        next: (playback) => acknowledge(mine, playback),
        error: ({ message }: Error) => {
          if (current === mine) fail('sink', message)
        },
      }),
    )
  }

  const acknowledge = (mine: Current, playback: Playback) => {
    if (current !== mine) return
    const { index } = mine.segment
    ledger.acknowledged(index, playback, clock.now())
    if (playback.type !== 'finished') {
      mine.stall.restart()
      if (!mine.hasStarted) {
        mine.hasStarted = true
        report({ type: 'PLAYBACK_STARTED', index })
      }
      return
    }
    silence()
    report({ type: 'PLAYBACK_FINISHED', index })
    next()
  }

  return {
    play(segment) {
      if (isStopped) return
      ledger.cut(segment)
      queue.push(segment)
      next()
    },
    pause() {
      if (isStopped || pausedSink !== null) return
      const able = current?.sink ?? sink()
      if (able === null || !able.pause()) return
      pausedSink = able
      ledger.paused(clock.now())
      current?.stall.pause()
      report({ type: 'PLAYBACK_PAUSED' })
    },
    resume() {
      const able = pausedSink
      if (isStopped || able === null) return
      pausedSink = null
      ledger.resumed(clock.now())
      current?.stall.resume()
      able.resume()
      next()
    },
    stop,
  }
}
