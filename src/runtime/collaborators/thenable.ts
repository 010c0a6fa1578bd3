/** Whether somebody has to be waited for. Reads `then`, so it throws where reading throws. */
export function isThenable(given: unknown): given is PromiseLike<unknown> {
  if ((typeof given !== 'object' || given === null) && typeof given !== 'function') return false
  return 'then' in given && typeof given.then === 'function'
}
