import type { Failure } from './vocabulary.ts'

/** Whether the next turn may work: nothing that a person must put right first, and nothing that broke for good. */
export function isRecoverable({ code, retryable }: Pick<Failure, 'code' | 'retryable'>): boolean {
  if (code === 'config' || code === 'auth') return false
  return code !== 'internal' || retryable
}
