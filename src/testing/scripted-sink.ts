import { Observable, type Subscriber } from 'rxjs'
import type { Clock, Milliseconds, Segment } from '../../machines/vocabulary.ts'
import type { Playback, SpeechSink } from '../speaking/sink.ts'

export interface SinkScript {
  /** From the hand-over of a segment to its first sound (30). */
  startMs?: Milliseconds | undefined
  /** Sound per character, by UTF-16 units (60). */
  charMs?: Milliseconds | undefined
  /** Whether it can pause (true). */
  pausable?: boolean | undefined
  /** What it says of its work: everything (`progress`), only `finished` (`finish`), nothing at all (`never`). */
  acknowledges?: 'progress' | 'finish' | 'never' | undefined
  /** Is told what happens to the sound. */
  note?: ((what: string) => void) | undefined
}

/** What became of one segment. */
export interface PlayedSegment {
  readonly segment: Segment
  readonly handedAtMs: Milliseconds
  /** Characters played to their end, acknowledged or not. */
  chars: number
  /** Characters the sink has said it played. */
  acknowledged: number
  /** When the last character was over, or the segment was silenced. */
  endedAtMs?: Milliseconds
}

export interface ScriptedSink extends SpeechSink {
  pause?(): void
  resume?(): void
  readonly played: readonly PlayedSegment[]
  /** Segments it was told of ahead of time. */
  readonly prepared: readonly Segment[]
  /** When it was paused, from and to; a pause that was never ended goes to the present. */
  readonly pauses: readonly (readonly [Milliseconds, Milliseconds])[]
  /** When there was sound, from and to. */
  readonly sounds: readonly (readonly [Milliseconds, Milliseconds])[]
}

/**
 * A sink that plays on a virtual clock, exactly: `startMs` of silence, then `charMs` a character, which counts once
 * it is fully played. While paused nothing is played, and the part of a character that was played stays.
 */
export function scriptedSink(script: SinkScript, clock: Clock): ScriptedSink {
  const { startMs = 30, charMs = 60, pausable = true, acknowledges = 'progress', note = () => {} } = script
  const played: PlayedSegment[] = []
  const prepared: Segment[] = []
  const pauses: [Milliseconds, Milliseconds | null][] = []
  const sounds: [Milliseconds, Milliseconds | null][] = []
  const players = new Set<{ stand(): void; go(): void }>()

  const endOf = ([from, to]: [Milliseconds, Milliseconds | null]) => [from, to ?? clock.now()] as const
  const isPaused = () => pauses.at(-1)?.[1] === null

  const begin = (segment: Segment, told: Subscriber<Playback>) => {
    const state: PlayedSegment = { segment, handedAtMs: clock.now(), chars: 0, acknowledged: 0 }
    played.push(state)
    note(`segment handed over: ${JSON.stringify(segment.text)}`)
    let leftMs = startMs
    let sinceMs = clock.now()
    let hasSound = false
    let cancel = () => {}

    const soundOn = () => {
      if (hasSound) sounds.push([clock.now(), null])
    }
    const soundOff = () => {
      const last = sounds.at(-1)
      if (last !== undefined && last[1] === null) last[1] = clock.now()
    }
    const finish = () => {
      soundOff()
      players.delete(player)
      state.endedAtMs = clock.now()
      note('segment played')
      if (acknowledges === 'never') return
      state.acknowledged = state.chars
      told.next({ type: 'finished' })
      told.complete()
    }
    const step = () => {
      if (hasSound) {
        state.chars += 1
        if (acknowledges === 'progress') state.acknowledged = state.chars
      } else {
        hasSound = true
        note('sound')
        soundOn()
      }
      const isOver = state.chars >= segment.text.length
      if (!isOver) wait(charMs)
      if (acknowledges === 'progress')
        told.next(state.chars === 0 ? { type: 'started' } : { type: 'progressed', chars: state.chars })
      if (isOver && !told.closed) finish()
    }
    const wait = (ms: Milliseconds) => {
      leftMs = ms
      sinceMs = clock.now()
      cancel = clock.schedule(step, ms)
    }
    const player = {
      stand() {
        cancel()
        leftMs -= clock.now() - sinceMs
        soundOff()
      },
      go() {
        soundOn()
        wait(leftMs)
      },
    }
    players.add(player)
    if (!isPaused()) wait(startMs)
    return () => {
      cancel()
      if (!players.delete(player)) return
      if (!isPaused()) soundOff()
      note('silenced')
      state.endedAtMs = clock.now()
    }
  }

  const sink: ScriptedSink = {
    played,
    prepared,
    get pauses() {
      return pauses.map(endOf)
    },
    get sounds() {
      return sounds.map(endOf)
    },
    prepare: (segment) => {
      prepared.push(segment)
    },
    play: (segment) => new Observable<Playback>((told) => begin(segment, told)),
  }
  if (!pausable) return sink
  sink.pause = () => {
    if (isPaused()) return
    for (const player of players) player.stand()
    pauses.push([clock.now(), null])
    note('paused')
  }
  sink.resume = () => {
    const last = pauses.at(-1)
    if (last === undefined || last[1] !== null) return
    last[1] = clock.now()
    note('resumed')
    for (const player of players) player.go()
  }
  return sink
}
