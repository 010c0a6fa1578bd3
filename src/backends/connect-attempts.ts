import { errorCode } from './redaction.ts'

/*
 * A host name may stand for several addresses. Node tries them in turn and gives each but the last this long, on a timer
 * of its own. That is little for a distant server, and none at all when the event loop stalls meanwhile: then the next
 * address is tried, and where nothing listens there, the name is said to be refused.
 */
export const firstAttemptMs = 250
/** Whoever waits decides how long; where nobody does, this is the last. */
const longestAttemptMs = 64_000

/** How long each address is given next, where that timer gave one up: nothing is known of it then. */
export function longerAttempt(error: unknown, attemptMs: number): number | undefined {
  if (!(error instanceof AggregateError) || attemptMs >= longestAttemptMs) return undefined
  return error.errors.some((one: unknown) => errorCode(one) === 'ETIMEDOUT') ? attemptMs * 4 : undefined
}
