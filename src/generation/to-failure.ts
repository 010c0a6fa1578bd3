import type { AttemptFailure } from '../../machines/reply/policy.ts'
import { LlmError } from '../backends/contract.ts'

/** An error as a chart can hold it: plain data, without cause or stack. What is no LlmError is a mistake of ours. */
export function toFailure(error: unknown, origin: string): AttemptFailure {
  if (!(error instanceof LlmError)) {
    const message = 'something threw where an LlmError was due; this is a mistake in colloquy or in a hook'
    return { error: { code: 'internal', message, retryable: false }, origin }
  }
  const { code, message, retryable, status, retryAfterMs, fault } = error
  return {
    error: {
      code,
      message,
      retryable,
      ...(status === undefined ? {} : { status }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
    ...(fault === undefined ? {} : { fault }),
    origin,
  }
}
