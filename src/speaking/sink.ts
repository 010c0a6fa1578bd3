import { Observable } from 'rxjs'
import type { Segment } from '../../machines/vocabulary.ts'

/** What a sink says of the segment it plays. `chars` counts UTF-16 units of `segment.text`, from its start. */
export type Playback = { type: 'started' } | { type: 'progressed'; chars: number } | { type: 'finished' }

/**
 * Turns segments into sound. `play` is called for one segment at a time; unsubscribing silences at once. What it
 * acknowledges is what the caller heard, and what history keeps. A segment has been played only once `finished` was
 * said: completing without it is a failure, and so is anything that is no Playback (ERROR_OCCURRED `sink`).
 *
 * A sink with `pause` is paused while a possible interruption is judged. Every `pause` is followed by one `resume`,
 * also when the segment was silenced in between (then nothing is left to play).
 *
 * `prepare`, `pause` and `resume` may return a promise. Nothing waits for it; one that rejects is reported as a method
 * that throws is (ERROR_OCCURRED `sink`, once until it works again), and the reply goes on.
 */
export interface SpeechSink {
  play(segment: Segment): Observable<Playback>
  /** Called up to two segments ahead, so that synthesis leaves no gap. It may never be played. */
  prepare?(segment: Segment): void | Promise<void>
  pause?(): void | Promise<void>
  resume?(): void | Promise<void>
}

/** A sink as the player knows it: no method throws, and `play` says nothing but Playbacks (runtime/collaborators). */
export interface GuardedSink {
  /** Ends with `finished`, or errors with an LlmError `sink`. */
  play(segment: Segment): Observable<Playback>
  prepare(segment: Segment): void
  /** False: it cannot, and plays on. */
  pause(): boolean
  resume(): void
}

/**
 * Makes a sink of a function that plays a text and resolves when it has been played. The signal aborts when the caller
 * interrupts. Heard is then known by whole segments alone.
 *
 *     conversation.speakTo(sinkFrom((text, signal) => speaker.say(text, { signal })))
 */
export function sinkFrom(play: (text: string, signal: AbortSignal) => Promise<void>): SpeechSink {
  return {
    play: (segment) =>
      new Observable<Playback>((subscriber) => {
        const abort = new AbortController()
        let isOver = false
        subscriber.next({ type: 'started' })
        const run = async () => {
          await play(segment.text, abort.signal)
          isOver = true
          subscriber.next({ type: 'finished' })
          subscriber.complete()
        }
        run().catch((error: unknown) => {
          isOver = true
          subscriber.error(error)
        })
        return () => {
          if (!isOver) abort.abort()
        }
      }),
  }
}
