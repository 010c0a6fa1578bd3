import { Observable } from 'rxjs'
import type { Failure } from '../../../machines/vocabulary.ts'
import { LlmError } from '../../backends/contract.ts'
import type { GuardedSink, Playback, SpeechSink } from '../../speaking/sink.ts'
import { demand, hasMethods, mayHaveMethods, property } from './check.ts'
import { isolate } from './isolate.ts'
import { NoStream, streamOf } from './stream-of.ts'

/** Throws `config` for what cannot be a sink. */
export function checkSink(given: unknown): void {
  demand(hasMethods(given, 'play'), 'a sink must have the method play; sinkFrom(play) makes one of a function')
  const isWhole = mayHaveMethods(given, 'prepare', 'pause', 'resume')
  demand(isWhole, 'prepare, pause and resume of a sink must be functions, where it has them')
}

/**
 * A sink as the player knows it. What it says is checked; a method that fails costs the reply nothing but its own
 * effect; and a segment that cannot be played is an error with the code `sink`.
 */
export function guardSink(
  sink: SpeechSink,
  {
    failed,
    noted,
  }: {
    /** A method failed, and the reply goes on. */
    failed(failure: Failure, cause: unknown): void
    /** Why a segment cannot be played, for the log: the reply tells its end itself. */
    noted(message: string, cause: unknown): void
  },
): GuardedSink {
  checkSink(sink)
  const attempt = isolate((method, thrown) => {
    const message = `The speech sink failed in ${method}; the reply goes on. Look at the sink.`
    failed({ code: 'sink', message, retryable: true }, thrown)
  })

  return {
    play: (segment) =>
      new Observable<Playback>((subscriber) => {
        const fail = (what: string, cause?: unknown) => {
          if (cause !== undefined) noted(`the speech sink ${what}`, cause)
          const message = `The speech sink ${what}. Look at the sink: the caller hears nothing more of this reply.`
          const isOurs = cause instanceof LlmError && cause.code === 'sink'
          subscriber.error(isOurs ? cause : new LlmError('sink', { message, cause }))
        }
        const silenced = (thrown: unknown) =>
          void attempt('unsubscribe', () => {
            throw thrown
          })
        const playing = streamOf(() => sink.play(segment), silenced)
        subscriber.add(
          playing.subscribe({
            next(said) {
              const playback = playbackOf(said)
              if (playback === undefined) return fail('said something that is no Playback')
              subscriber.next(playback)
              if (playback.type === 'finished') subscriber.complete()
            },
            error: (cause: unknown) =>
              cause instanceof NoStream
                ? fail('returned no Observable from play')
                : fail('failed while it played a segment', cause),
            complete: () => fail('ended a segment without reporting `finished`'),
          }),
        )
      }),
    prepare(segment) {
      attempt('prepare', () => sink.prepare?.(segment))
    },
    pause() {
      let isAble = false
      const isDone = attempt('pause', () => {
        isAble = sink.pause !== undefined
        return sink.pause?.()
      })
      return isAble && isDone
    },
    resume() {
      attempt('resume', () => sink.resume?.())
    },
  }
}

/** undefined: it is none. */
function playbackOf(said: unknown): Playback | undefined {
  const type = property(said, 'type')
  if (type === 'started' || type === 'finished') return { type }
  const chars = property(said, 'chars')
  if (type !== 'progressed' || typeof chars !== 'number') return undefined
  // Players compute 0 / 0 before they know how long a sound is: it sounds, nobody knows how far.
  return Number.isFinite(chars) ? { type, chars: Math.max(0, chars) } : { type: 'started' }
}
