/**
 * A handler as sockets may have it: what it throws, or rejects with, goes to `failed`. Past this edge Node would end the
 * process, and every conversation with it.
 */
export function atEdge<Given extends unknown[]>(
  handle: (...given: Given) => void | Promise<void>,
  failed: (error: unknown, given: Given) => void,
): (...given: Given) => void {
  return (...given) => {
    // What stands before the first await runs at once.
    const handled = (async () => handle(...given))()
    handled.catch((error: unknown) => failed(error, given))
  }
}

/** For the operator: where it happened. The message stays away, since it may hold what a stranger sent. */
export function reportMistake(error: unknown): void {
  const places = error instanceof Error ? (error.stack?.match(/^ {4}at .*$/gmu)?.join('\n') ?? '') : ''
  process.emitWarning('colloquy ended a connection after a mistake of its own; everything else goes on', {
    detail: `${error instanceof Error ? error.name : typeof error}\n${places}`,
  })
}
