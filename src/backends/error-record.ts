import { LlmError } from './contract.ts'
import type { Exchange } from './exchange.ts'
import { badCall, isBadCall } from './bad-call.ts'
import { quotable, type Privacy } from './redaction.ts'

/** The server says in a 200 that it failed. */
export function errorRecord(said: string, { transport, backend }: Exchange, privacy: Privacy): LlmError {
  const { origin } = transport.address
  if (isBadCall(said, privacy.spoken)) return badCall(origin, { backend, status: 200 })
  const words = privacy.spoken.calls ? '' : quotable(said, privacy)
  // LM Studio answers unknown routes so
  if (/unexpected endpoint/i.test(said)) {
    const message = `${origin} has no such route: check baseUrl and apiType.`
    return new LlmError('http', { backend, fault: 'path-missing', status: 200, message })
  }
  const because = words === '' ? '' : `: ${words}`
  const message = `${origin} reported an error in mid-reply${because}`
  return new LlmError('http', { backend, fault: 'error-record', status: 200, retryable: true, message })
}
