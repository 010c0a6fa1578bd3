import { Observable } from 'rxjs'
import type { Clock, Playback, SpeechSink } from '../../src/index.ts'

/** A quick sink that fails now and then: an error, a stall, an end without `finished`. */
export function faultySink(clock: Clock, random: () => number): SpeechSink {
  return {
    play: ({ text }) =>
      new Observable<Playback>((told) => {
        const dice = random()
        if (dice < 0.01) {
          told.error(new Error('the sound card is gone'))
          return
        }
        told.next({ type: 'started' })
        if (dice < 0.02) return told.complete()
        let chars = 0
        let cancel = () => {}
        const step = () => {
          chars = Math.min(text.length, chars + 20)
          told.next({ type: 'progressed', chars })
          if (chars < text.length) cancel = clock.schedule(step, 5)
          // one in a hundred never says that it is done
          else if (dice > 0.03) {
            told.next({ type: 'finished' })
            told.complete()
          }
        }
        cancel = clock.schedule(step, 5)
        return () => cancel()
      }),
    pause() {},
    resume() {},
  }
}
