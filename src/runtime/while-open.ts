import { LlmError } from '../backends/contract.ts'

/** What a closed service says to whoever still wants something of it. */
export function closed(): LlmError {
  return new LlmError('config', { message: 'the service is closed; create a new one' })
}

/**
 * Runs with a signal that aborts when the caller's does or when the service is closed, and rejects at once then: with the
 * caller's reason, or with LlmError `config`. Whether the run takes notice of the signal does not matter.
 */
export function whileOpen<T>(
  life: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
  given?: AbortSignal,
): Promise<T> {
  const controller = new AbortController()
  return new Promise<T>((resolve, reject) => {
    const end = (reason: unknown) => {
      reject(reason)
      controller.abort(reason)
    }
    if (life.aborted) return end(closed())
    if (given?.aborted) return end(given.reason)
    const leave = () => end(closed())
    const cancel = () => end(given?.reason)
    life.addEventListener('abort', leave, { once: true })
    given?.addEventListener('abort', cancel, { once: true })
    run(controller.signal)
      .then(resolve, reject)
      .finally(() => {
        life.removeEventListener('abort', leave)
        given?.removeEventListener('abort', cancel)
      })
  })
}
