import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { LlmError } from '../backends/contract.ts'
import { readPageFiles } from './page-files.ts'

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])

export interface PageServer {
  readonly port: number
  readonly url: string
  close(): Promise<void>
}

/**
 * Serves the page on loopback. Every request must name us as its host, so that no other site can reach us under a
 * name of its own (DNS rebinding), and a WebSocket must come from our own page.
 */
export async function servePage({
  host,
  port,
  onUpgrade,
}: {
  host: string
  port: number
  onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
}): Promise<PageServer> {
  if (!loopback.has(host)) {
    throw new LlmError('config', {
      message: `the inspector serves this machine alone; host may be 127.0.0.1, ::1 or localhost, not ${host}`,
    })
  }
  const files = readPageFiles()
  const server = createServer()
  server.headersTimeout = 5_000
  server.maxHeadersCount = 50
  const isOurs = (request: IncomingMessage) => hostsAt(portOf(server)).has(request.headers.host ?? '')

  server.on('request', (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    const file = files.get(path)
    const status = !isOurs(request)
      ? 403
      : request.method !== 'GET' && request.method !== 'HEAD'
        ? 405
        : file
          ? 200
          : 404
    response.writeHead(status, {
      ...safeHeaders(portOf(server)),
      'content-type': status === 200 && file ? file.type : 'text/plain; charset=utf-8',
    })
    response.end(status === 200 && request.method === 'GET' ? file?.body : undefined)
  })
  server.on('upgrade', (request, socket, head) => {
    const { origin = '' } = request.headers
    const isFromOurPage = origin.startsWith('http://') && hostsAt(portOf(server)).has(origin.slice('http://'.length))
    if (isOurs(request) && isFromOurPage && request.url === '/live') return onUpgrade(request, socket, head)
    socket.on('error', () => socket.destroy())
    socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
  })

  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new LlmError('config', {
          message: `the inspector cannot listen on ${host}:${port}; choose another port, or 0 for any`,
          cause,
        }),
      ),
    )
    server.listen(port, host, resolve)
  })
  const shownHost = host === '::1' ? '[::1]' : host
  return {
    port: portOf(server),
    url: `http://${shownHost}:${portOf(server)}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function hostsAt(port: number): ReadonlySet<string> {
  const names = ['127.0.0.1', '[::1]', 'localhost']
  return new Set([...names.map((name) => `${name}:${port}`), ...(port === 80 ? names : [])])
}

/** Nothing from elsewhere, nothing inline, no frame around us. */
function safeHeaders(port: number): Record<string, string> {
  // 'self' does not cover ws: in every browser, and the policy has no words for an IPv6 address.
  const sockets = ['127.0.0.1', 'localhost'].map((name) => `ws://${name}:${port}`).join(' ')
  return {
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self'",
      `connect-src 'self' ${sockets}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
  }
}
