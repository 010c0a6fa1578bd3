import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'

/**
 * Runs with a signal that aborts with the outer one, or with `late()` once `ms` have passed on the clock, and rejects at
 * once then. The timer is gone when the run is.
 */
export async function withDeadline<T>(
  { clock, ms, signal, late }: { clock: Clock; ms: Milliseconds; signal: AbortSignal; late: () => Error },
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  return endable(run, (end) => {
    const leave = () => end(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    const cancel = clock.schedule(() => end(late()), ms)
    return () => {
      cancel()
      signal.removeEventListener('abort', leave)
    }
  })
}

/** Runs with a signal of its own until something ends it: then it rejects, whether or not the run takes notice. */
export async function endable<T>(
  run: (signal: AbortSignal) => Promise<T>,
  watch: (end: (reason: unknown) => void) => () => void,
): Promise<T> {
  const controller = new AbortController()
  let unwatch = () => {}
  try {
    return await new Promise<T>((resolve, reject) => {
      unwatch = watch((reason) => {
        controller.abort(reason)
        reject(reason)
      })
      run(controller.signal).then(resolve, reject)
    })
  } finally {
    unwatch()
  }
}
