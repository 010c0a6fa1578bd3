import type { Clock, Milliseconds, SpeechEvent } from '../../machines/vocabulary.ts'
import type { Settings } from '../config/config.ts'

/** Which speech does not open an absent conversation: what belongs to a stretch that a stop cut. */
export interface Deafness {
  /** A stop came while the caller was saying something. */
  begin(id: string): void
  end(id: string): void
  /** Whether this event may open the conversation. A voice that begins may, and ends the deafness. */
  lets(id: string, event: SpeechEvent): boolean
}

/** No transcript of a stretch comes later than its longest voice activity and the longest wait for words after it. */
export function createDeafness(
  clock: Clock,
  { maxOpenMs, maxDelayMs }: Pick<Settings['endpointing'], 'maxOpenMs' | 'maxDelayMs'>,
): Deafness {
  /** By id, the oldest first. */
  const until = new Map<string, Milliseconds>()

  function forgetOld(): void {
    for (const [id, endMs] of until) {
      if (endMs > clock.now()) return
      until.delete(id)
    }
  }

  return {
    begin(id) {
      forgetOld()
      until.delete(id)
      until.set(id, clock.now() + maxOpenMs + maxDelayMs)
    },
    end: (id) => void until.delete(id),
    lets(id, { type }) {
      forgetOld()
      if (type === 'SPEECH_ENDED' || type === 'SYSTEM_STOPPED') return false
      if (type === 'SPEECH_STARTED') until.delete(id)
      return !until.has(id)
    },
  }
}
