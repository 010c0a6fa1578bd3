import type { ServerResponse } from 'node:http'
import type { Dialect } from './records.ts'
import type { LoopbackFault } from './replies.ts'

/** Faults that come instead of a reply. False: the fault is one of the body, and is not dealt with here. */
export function refuse(response: ServerResponse, fault: LoopbackFault, dialect: Dialect, model: string): boolean {
  const { socket } = response
  const say = (status: number, body: unknown, headers: Record<string, string> = {}) => {
    const type = typeof body === 'string' ? 'text/plain' : 'application/json'
    response.writeHead(status, { 'content-type': type, ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }
  const error = (message: string, code: string) =>
    dialect === 'openai' ? { error: { message, type: 'invalid_request_error', param: null, code } } : { error: message }
  switch (fault.kind) {
    case 'http':
      say(fault.status, fault.body ?? error(`fault ${fault.status}`, 'fault'), fault.headers)
      return true
    case 'redirect':
      say(fault.status ?? 307, '', { location: fault.to })
      return true
    case 'model-missing':
      say(404, error(`model '${model}' not found`, 'model_not_found'))
      return true
    case 'path-missing':
      say(404, '404 page not found')
      return true
    case 'context-overflow':
      say(400, error('the request exceeds the available context size', 'context_length_exceeded'))
      return true
    case 'unreadable-error':
      response.writeHead(fault.status, { 'content-type': 'application/json', 'content-length': '1000' })
      response.write('{"error":"broken')
      setImmediate(() => socket?.resetAndDestroy())
      return true
    case 'stalled-error':
      response.writeHead(fault.status, { 'content-type': 'application/json', 'content-length': '1000' })
      response.flushHeaders()
      return true
    case 'huge-error':
      response.writeHead(fault.status, { 'content-type': 'text/plain' })
      flood(response)
      return true
    case 'html-error':
      say(fault.status, '<!doctype html><h1>Oops</h1>', { 'content-type': 'text/html' })
      return true
    case 'reset':
      socket?.resetAndDestroy()
      return true
    case 'close':
      socket?.end()
      return true
    case 'not-http':
      socket?.end('SSH-2.0-OpenSSH_9.9\r\n')
      return true
    case 'huge-headers':
      socket?.end(`HTTP/1.1 200 OK\r\nx-filler: ${'x'.repeat(40_000)}\r\n\r\n`)
      return true
    case 'silent':
      return true
    default:
      return false
  }
}

function flood(response: ServerResponse): void {
  const piece = Buffer.alloc(65_536, 'x')
  const more = () => {
    if (response.destroyed) return
    if (response.write(piece)) setImmediate(more)
    else response.once('drain', more)
  }
  more()
}
