import type { Clock, Milliseconds } from '../../../machines/vocabulary.ts'
import { within } from '../../persistence/bounded-store.ts'
import { isThenable } from './thenable.ts'

export interface AskLimits {
  clock: Clock
  ms: Milliseconds
  /** Nobody waits any more. */
  signal: AbortSignal
}

/**
 * Asks a hook. An answer that is no promise is returned at once; a promise is waited for, for `ms` at most. What the
 * hook throws is thrown, and what it rejects with is rejected with. The signal that the hook gets aborts when its answer
 * comes too late to count.
 */
export function inTime({ clock, ms, signal }: AskLimits, ask: (signal: AbortSignal) => unknown): unknown {
  signal.throwIfAborted()
  const own = new AbortController()
  const asked = ask(own.signal)
  if (!isThenable(asked)) return asked
  const late = () => new Error(`it gave no answer within ${ms} ms`)
  const { answer, giveUp } = within(clock, ms, Promise.resolve(asked), late)
  signal.addEventListener('abort', giveUp, { once: true })
  return answer
    .catch((error: unknown) => {
      own.abort(signal.aborted ? signal.reason : error)
      throw error
    })
    .finally(() => signal.removeEventListener('abort', giveUp))
}
