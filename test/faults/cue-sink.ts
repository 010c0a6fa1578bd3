import { Observable, type Subscriber } from 'rxjs'
import type { Segment } from '../../machines/vocabulary.ts'
import type { Playback, SpeechSink } from '../../src/speaking/sink.ts'

/** A sink that plays what it is told to, when it is told to. */
export interface CueSink extends SpeechSink {
  /** Every segment that it was handed. */
  readonly handed: readonly Segment[]
  /** Whether a segment is with it now. */
  readonly isPlaying: boolean
  /** Says this of the segment that is with it. */
  says(...playbacks: Playback[]): void
  fails(error: Error): void
}

/** `auto`: it plays everything at once. */
export function cueSink({ auto = false } = {}): CueSink {
  const handed: Segment[] = []
  let current: Subscriber<Playback> | undefined
  let isAuto = auto
  return {
    handed,
    get isPlaying() {
      return current !== undefined
    },
    says(...playbacks) {
      for (const playback of playbacks) current?.next(playback)
    },
    fails(error) {
      isAuto = true
      current?.error(error)
    },
    play: (segment) =>
      new Observable((told) => {
        handed.push(segment)
        current = told
        if (isAuto) {
          told.next({ type: 'started' })
          told.next({ type: 'finished' })
        }
        return () => {
          if (current === told) current = undefined
        }
      }),
  }
}
