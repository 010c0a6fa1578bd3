import { LlmError } from '../backends/contract.ts'
import { endable } from './deadline.ts'

/** What a closed service says to whoever still wants something of it. */
export function closed(): LlmError {
  return new LlmError('config', { message: 'the service is closed; create a new one' })
}

/**
 * Runs with a signal that aborts when the caller's does or when the service is closed, and rejects at once then: with the
 * caller's reason, or with LlmError `config`.
 */
export async function whileOpen<T>(
  life: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
  given?: AbortSignal,
): Promise<T> {
  if (life.aborted) throw closed()
  given?.throwIfAborted()
  return endable(run, (end) => {
    const leave = () => end(closed())
    const cancel = () => end(given?.reason)
    life.addEventListener('abort', leave, { once: true })
    given?.addEventListener('abort', cancel, { once: true })
    return () => {
      life.removeEventListener('abort', leave)
      given?.removeEventListener('abort', cancel)
    }
  })
}
