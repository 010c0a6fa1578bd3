import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ErrorCode } from '../../machines/vocabulary.ts'

/** Why a request is not served. */
export interface Refusal {
  status: 400 | 401 | 403 | 404 | 405 | 413 | 415 | 417 | 500 | 503
  code: ErrorCode
  /** For people: one line, what is wrong and what to do. Never quotes the request. */
  message: string
}

/** What every refusal and every mistake looks like: `{ "error": { code, message } }`. */
export function refuse(response: ServerResponse, refusal: Refusal): void {
  const { body, headers } = answerOf(refusal)
  response.writeHead(refusal.status, headers)
  response.end(body)
}

/** The same on a socket that Node has given away, which is cut after it: half-open it would be nobody's. */
export function refuseSocket(socket: Duplex, refusal: Refusal): void {
  const { body, headers } = answerOf(refusal)
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}`)
  const head = [`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`, ...lines].join('\r\n')
  socket.end(`${head}\r\n\r\n${body}`, () => socket.destroy())
}

function answerOf({ status, code, message }: Refusal): { body: string; headers: Record<string, string | number> } {
  const body = JSON.stringify({ error: { code, message } })
  const headers = { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body) }
  return { body, headers: status === 401 ? { ...headers, 'www-authenticate': 'Bearer' } : headers }
}
