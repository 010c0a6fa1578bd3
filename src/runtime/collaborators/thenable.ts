import { property } from './check.ts'

/** Whether somebody may have to be waited for. */
export function isThenable(given: unknown): given is PromiseLike<unknown> {
  return typeof property(given, 'then') === 'function'
}

/** For a promise where none is due: nobody waits for it, and its rejection would end the process. */
export function disown(given: unknown): void {
  if (isThenable(given)) Promise.resolve(given).catch(() => undefined)
}
