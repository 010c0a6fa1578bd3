import { NEVER, Observable, of, Subject, throwError } from 'rxjs'
import { describe, expect, it } from 'vitest'
import type { PlaybackReport, Segment } from '../../machines/vocabulary.ts'
import { Config } from '../../src/config/config.ts'
import { guardSink } from '../../src/runtime/collaborators/sink.ts'
import { createLedger } from '../../src/speaking/ledger.ts'
import { createPlayer } from '../../src/speaking/player.ts'
import type { Playback, SpeechSink } from '../../src/speaking/sink.ts'
import { aSegment } from '../support/a-segment.ts'
import { handClock } from '../support/hand-clock.ts'

const settings = Config.parse({})

const segment = (index: number, text = 'Hello there.'): Segment => ({
  ...aSegment,
  index,
  text,
  source: text,
  gap: index === 0 ? '' : ' ',
})

const failedIn = (what: string) => `The speech sink failed in ${what}; the reply goes on. Look at the sink.`

/** A sink that a test plays by hand. */
function handSink() {
  const log: string[] = []
  const playing: Subject<Playback>[] = []
  return {
    log,
    say: (playback: Playback) => playing.at(-1)?.next(playback),
    playing,
    play: (played: Segment) =>
      new Observable<Playback>((subscriber) => {
        log.push(`play ${played.index}`)
        const subject = new Subject<Playback>()
        playing.push(subject)
        subject.subscribe(subscriber)
        return () => log.push(`over ${played.index}`)
      }),
    prepare: (prepared: Segment) => void log.push(`prepare ${prepared.index}`),
    pause: () => void log.push('pause'),
    resume: () => void log.push('resume'),
  } satisfies SpeechSink & Record<string, unknown>
}

function play(sink: SpeechSink | null) {
  const clock = handClock()
  const ledger = createLedger(settings.segments.charMs)
  const reports: PlaybackReport[] = []
  const warnings: string[] = []
  const guarded =
    sink &&
    guardSink(sink, {
      failed: ({ message }) => warnings.push(message),
      noted: (message) => warnings.push(message),
    })
  const player = createPlayer({
    sink: () => guarded,
    ledger,
    clock,
    settings,
    report: (report) => reports.push(report),
  })
  const told = () =>
    reports.map((report) => {
      switch (report.type) {
        case 'PLAYBACK_HANDED':
          return `handed ${report.segment.index}`
        case 'PLAYBACK_STARTED':
          return `started ${report.index}`
        case 'PLAYBACK_FINISHED':
          return `finished ${report.index}`
        case 'PLAYBACK_PAUSED':
          return 'paused'
        case 'PLAYBACK_FAILED':
          return report.error.code
      }
    })
  return { clock, ledger, player, told, warnings }
}

describe('the player', () => {
  it('hands a segment over when the one before has finished', () => {
    const sink = handSink()
    const { player, told, ledger, clock } = play(sink)
    player.play(segment(0, 'One.'))
    player.play(segment(1, 'Two.'))
    expect(told()).toEqual(['handed 0'])
    sink.say({ type: 'started' })
    sink.say({ type: 'progressed', chars: 3 })
    expect(ledger.heard()).toBe('One')
    sink.say({ type: 'finished' })
    expect(told()).toEqual(['handed 0', 'started 0', 'finished 0', 'handed 1'])
    sink.say({ type: 'finished' })
    expect(told()).toEqual(['handed 0', 'started 0', 'finished 0', 'handed 1', 'finished 1'])
    expect(sink.log).toEqual(['play 0', 'prepare 1', 'over 0', 'play 1', 'over 1'])
    expect(ledger.heard()).toBe('One. Two.')
    expect(clock.pending()).toBe(0)
  })

  it('prepares two segments ahead and no more, each once', () => {
    const sink = handSink()
    const { player } = play(sink)
    for (let i = 0; i < 5; i += 1) player.play(segment(i))
    expect(sink.log).toEqual(['play 0', 'prepare 1', 'prepare 2'])
    sink.say({ type: 'finished' })
    expect(sink.log.slice(3)).toEqual(['over 0', 'play 1', 'prepare 3'])
    player.stop()
  })

  it('a segment that waits for the sink counts as unspoken', () => {
    const { player, ledger, clock } = play(handSink())
    player.play(segment(0, 'x'.repeat(10)))
    player.play(segment(1, 'x'.repeat(20)))
    expect(ledger.unspokenMs(clock.now())).toBe(30 * settings.segments.charMs.latin)
    player.stop()
  })

  it('without a sink a segment counts as heard when it is handed over', () => {
    const { player, told, ledger, clock } = play(null)
    player.play(segment(0))
    player.pause()
    expect(told()).toEqual(['handed 0', 'finished 0'])
    expect(ledger.heard()).toBe('Hello there.')
    expect(clock.pending()).toBe(0)
  })

  it('a sink that finishes within its subscription plays a long queue', () => {
    const { player, told, ledger } = play({ play: () => of({ type: 'finished' }) })
    for (let i = 0; i < 5_000; i += 1) player.play(segment(i, 'x'))
    expect(told()).toHaveLength(10_000)
    expect(ledger.isEverythingHeard()).toBe(true)
  })

  it('stop silences at once, twice is once, and what comes late is ignored', () => {
    const sink = handSink()
    const { player, told, ledger, clock } = play(sink)
    player.play(segment(0))
    player.play(segment(1))
    sink.say({ type: 'progressed', chars: 5 })
    player.stop()
    player.stop()
    expect(sink.log.slice(2)).toEqual(['over 0'])
    sink.say({ type: 'finished' })
    player.play(segment(2))
    expect(ledger.heard()).toBe('Hello')
    expect(told()).toEqual(['handed 0', 'started 0'])
    expect(clock.pending()).toBe(0)
  })

  it('stop within the report of a hand-over plays nothing', () => {
    const sink = handSink()
    const guarded = guardSink(sink, { failed() {}, noted() {} })
    const ledger = createLedger(settings.segments.charMs)
    const clock = handClock()
    const player = createPlayer({ sink: () => guarded, ledger, clock, settings, report: () => player.stop() })
    player.play(segment(0))
    expect(sink.log).toEqual([])
    expect(clock.pending()).toBe(0)
  })
})

describe('a pause', () => {
  it('is reported by a sink that can pause, and ends with one resume', () => {
    const sink = handSink()
    const { player, told } = play(sink)
    player.play(segment(0))
    player.pause()
    player.pause()
    player.resume()
    player.resume()
    expect(told()).toEqual(['handed 0', 'paused'])
    expect(sink.log).toEqual(['play 0', 'pause', 'resume'])
    player.stop()
  })

  it('is nothing to a sink that cannot pause: it plays on', () => {
    const sink = handSink()
    const { player, told } = play({ play: sink.play })
    player.play(segment(0))
    player.play(segment(1))
    player.pause()
    sink.say({ type: 'finished' })
    expect(told()).toEqual(['handed 0', 'finished 0', 'handed 1'])
    player.stop()
  })

  it('holds the next segment back', () => {
    const sink = handSink()
    const { player, told } = play(sink)
    player.play(segment(0))
    player.play(segment(1))
    player.pause()
    sink.say({ type: 'finished' })
    expect(told()).toEqual(['handed 0', 'paused', 'finished 0'])
    player.resume()
    expect(told().at(-1)).toBe('handed 1')
    player.stop()
  })

  it('a sink that was silenced while paused is not left paused', () => {
    const sink = handSink()
    const { player } = play(sink)
    player.play(segment(0))
    player.pause()
    player.stop()
    expect(sink.log).toEqual(['play 0', 'pause', 'over 0', 'resume'])
  })
})

describe('a sink that fails', () => {
  const failures: [name: string, sink: SpeechSink][] = [
    [
      'throws in play',
      {
        play: () => {
          throw new Error('no device')
        },
      },
    ],
    ['errors', { play: () => throwError(() => new Error('no device')) }],
    ['completes without having finished', { play: () => of({ type: 'started' }) }],
    [
      'throws in subscribe',
      {
        play: () =>
          new Observable(() => {
            throw new Error('no device')
          }),
      },
    ],
  ]
  it.each(failures)('is given up when it %s', (_name, sink) => {
    const { player, told, ledger, clock } = play(sink)
    player.play(segment(0))
    player.play(segment(1))
    expect(told().at(-1)).toBe('sink')
    expect(told().filter((line) => line === 'sink')).toHaveLength(1)
    expect(ledger.heard()).toBe('')
    expect(clock.pending()).toBe(0)
  })

  it('is isolated where it throws in prepare, pause or teardown', () => {
    const fail = () => {
      throw new Error('broken')
    }
    const sink = { play: () => new Observable<Playback>(() => fail), prepare: fail, pause: fail }
    const { player, told, warnings } = play(sink)
    player.play(segment(0))
    player.play(segment(1))
    player.pause()
    player.stop()
    expect(told()).toEqual(['handed 0'])
    expect(warnings).toEqual(['prepare', 'pause', 'unsubscribe'].map(failedIn))
  })

  it('plays on when resume throws, or rejects as the others may: the stall clock decides', async () => {
    const fail = () => {
      throw new Error('broken')
    }
    for (const broken of [fail, async () => fail()]) {
      const sink = handSink()
      const { player, told, clock, warnings } = play({ ...sink, resume: broken, prepare: async () => fail() })
      player.play(segment(0))
      player.play(segment(1))
      player.pause()
      player.resume()
      sink.say({ type: 'finished' })
      expect(told()).toEqual(['handed 0', 'paused', 'finished 0', 'handed 1'])
      await new Promise((resolve) => setImmediate(resolve))
      expect(warnings.toSorted()).toEqual(['prepare', 'resume'].map(failedIn))
      player.stop()
      expect(clock.pending()).toBe(0)
    }
  })
})

describe('a sink that stalls', () => {
  const expectedMs = 'Hello there.'.length * settings.segments.charMs.latin

  it('is given up after the expected length and stallMs', () => {
    const { player, told, clock } = play({ play: () => NEVER })
    player.play(segment(0))
    clock.advance(expectedMs + settings.sink.stallMs - 1)
    expect(told()).toEqual(['handed 0'])
    clock.advance(1)
    expect(told()).toEqual(['handed 0', 'sink-stalled'])
    expect(clock.pending()).toBe(0)
  })

  it('has its time anew at each acknowledgement', () => {
    const sink = handSink()
    const { player, told, clock } = play(sink)
    player.play(segment(0))
    clock.advance(10_000)
    sink.say({ type: 'progressed', chars: 1 })
    clock.advance(10_000)
    expect(told()).toEqual(['handed 0', 'started 0'])
    clock.advance(800)
    expect(told().at(-1)).toBe('sink-stalled')
  })

  it('is not given up for a pause', () => {
    const sink = handSink()
    const { player, told, clock } = play(sink)
    player.play(segment(0))
    clock.advance(10_000)
    player.pause()
    expect(clock.pending()).toBe(0)
    clock.advance(60_000)
    player.resume()
    clock.advance(791)
    expect(told()).toEqual(['handed 0', 'paused'])
    clock.advance(1)
    expect(told().at(-1)).toBe('sink-stalled')
  })
})
