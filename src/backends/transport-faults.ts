import type { Address } from './address.ts'
import { LlmError, type LlmErrorFacts } from './contract.ts'
import { errorCode, plainCause } from './redaction.ts'
import type { ErrorCode } from '../../machines/vocabulary.ts'

/** How far a request had come when its socket failed. */
export interface Progress {
  address: Address
  backend: string
  secrets: readonly string[]
  connected: boolean
  /** TLS agreed (or not asked for). */
  secured: boolean
}

const tlsCodes = /^(?:EPROTO$|ERR_SSL_|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/

/** What a failure before the response's headers means. */
export function failureBeforeHeaders(error: unknown, progress: Progress): LlmError {
  const { address, backend, secrets, connected, secured } = progress
  const { origin, hostname } = address
  const code = errorCode(error)
  const make = (as: ErrorCode, fault: string, message: string, facts: Partial<LlmErrorFacts> = {}) =>
    new LlmError(as, { message, fault, backend, cause: plainCause(error, secrets), ...facts })

  if (code === 'ENOTFOUND' || code.startsWith('EAI_')) {
    return make('config', 'name-not-found', `The host name ${hostname} was not found: check baseUrl.`)
  }
  if (code === 'ECONNREFUSED') {
    const next = 'start the server, or correct baseUrl.'
    return make('connection', 'refused', `Nothing listens at ${origin}: ${next}`, { origin })
  }
  if (code === 'ETIMEDOUT' || code === 'ERR_SOCKET_CONNECTION_TIMEOUT') {
    return make('connection', 'connect-timeout', `${origin} does not answer: check the address and firewalls.`, {
      origin,
    })
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return make('protocol', 'headers-too-large', `${origin} sent headers over 16 KiB: is baseUrl right?`)
  }
  if (code.startsWith('HPE_')) {
    return make('protocol', 'not-http', `What listens at ${origin} does not speak HTTP: check the port of baseUrl.`)
  }
  if (tlsCodes.test(code) || (address.secure && connected && !secured)) {
    return make('connection', 'tls', `TLS with ${origin} failed: ${tlsReason(code)}.`, { retryable: false })
  }
  if (!connected) {
    const message = `${origin} could not be reached (${code || 'no reason given'}): check the address and the network.`
    return make('connection', 'unreachable', message, { origin })
  }
  // Node names both ECONNRESET; only a real reset comes from a system call
  const reset = typeof error === 'object' && error !== null && 'syscall' in error
  return reset
    ? make('connection', 'reset-before-headers', `${origin} reset the connection before it answered.`, { origin })
    : make('connection', 'closed-before-headers', `${origin} closed the connection before it answered.`, { origin })
}

function tlsReason(code: string): string {
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return 'the server does not speak TLS there, use http:// in baseUrl'
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH') {
    return 'its certificate is for another host name'
  }
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired'
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT' || code === 'SELF_SIGNED_CERT_IN_CHAIN') {
    return 'its certificate is self-signed, name its authority in NODE_EXTRA_CA_CERTS'
  }
  if (code.startsWith('UNABLE_TO_'))
    return 'its certificate cannot be verified, name its authority in NODE_EXTRA_CA_CERTS'
  return code === 'ECONNRESET' || code === ''
    ? 'the server broke off the handshake'
    : `the handshake was refused (${code})`
}

/** What a failure in the middle of the body means. It is the model's fault rather than the origin's: the next is tried. */
export function failureInBody(error: unknown, progress: Progress): LlmError {
  const { address, backend, secrets } = progress
  const code = errorCode(error)
  const cause = plainCause(error, secrets)
  const facts = { backend, cause }
  const { origin } = address
  if (code === 'Z_BUF_ERROR') {
    return new LlmError('protocol', { ...facts, fault: 'cut', message: `${origin} sent a truncated gzip body.` })
  }
  if (code.startsWith('Z_') || code.startsWith('ERR__ERROR_') || code.startsWith('ERR_BROTLI')) {
    return new LlmError('protocol', { ...facts, fault: 'bad-encoding', message: `${origin} sent a corrupt gzip body.` })
  }
  if (code.startsWith('HPE_')) {
    return new LlmError('protocol', {
      ...facts,
      fault: 'bad-chunk',
      message: `${origin} broke the framing of its reply.`,
    })
  }
  return new LlmError('connection', { ...facts, fault: 'cut', message: `${origin} cut the connection in mid-reply.` })
}
