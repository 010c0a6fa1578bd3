/**
 * Runs with a signal of its own, which aborts with the outer one and when the run fails: whatever goes wrong, in the
 * dialect or in who listens to it, the socket is closed. After an abort the reason is what it rejects with.
 */
export async function onOwnSocket<T>(signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const socket = new AbortController()
  const leave = () => socket.abort(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  try {
    const result = await run(socket.signal)
    signal.throwIfAborted()
    return result
  } catch (error) {
    socket.abort(error)
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
