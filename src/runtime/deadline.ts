import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'

/**
 * Runs with a signal that aborts with the outer one, or with `late()` once `ms` have passed on the clock. The timer is
 * gone when the run is.
 */
export async function withDeadline<T>(
  { clock, ms, signal, late }: { clock: Clock; ms: Milliseconds; signal: AbortSignal; late: () => Error },
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const leave = () => controller.abort(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  const cancel = clock.schedule(() => controller.abort(late()), ms)
  try {
    return await run(controller.signal)
  } finally {
    cancel()
    signal.removeEventListener('abort', leave)
  }
}
