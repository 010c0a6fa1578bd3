import { createServer, type Server } from 'node:http'
import { WebSocketServer, type WebSocket } from 'ws'
import { LlmError, systemClock, type Clock, type ConversationStore, type LlmService } from '../index.ts'
import { bearerOf, createGuard, isLoopback } from './guard.ts'
import { serveHttp, tellError } from './http-routes.ts'
import { createHub } from './hub.ts'
import { listenOn } from './listen-on.ts'
import type { Answering } from './protocol.ts'
import { serveClient, type WireLimits } from './wire-client.ts'

export interface ServerOptions {
  service: LlmService
  /** Reads what the service's store holds of conversations that nobody has opened yet; left to its owner. */
  kept?: Pick<ConversationStore, 'load'>
  answering: Answering
  /** Default 127.0.0.1. Anything but loopback demands a token. */
  host?: string
  /** Default 4747. When it is taken the next free one is used; 0 takes any. */
  port?: number
  token?: string
  version?: string
  clock?: Clock
  limits?: Partial<ServerLimits>
}

export interface ServerLimits extends WireLimits {
  sockets: number
}

export interface RunningServer {
  /** For people and programs; with the token in the fragment, where there is one. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** Open WebSockets. */
  readonly sockets: number
  /** Closes the port and every socket; the service is left to its owner. */
  close(): Promise<void>
}

const defaultLimits: ServerLimits = {
  utteranceChars: 4_000,
  messageBytes: 65_536,
  bufferedBytes: 1_048_576,
  openPerClient: 100,
  sockets: 2_000,
}
/** A socket that answers no ping within this time is gone. */
const heartbeatMs = 30_000
const shortestToken = 12

/**
 * Serves conversations: the page, HTTP and the WebSocket of docs/protocol.md. Rejects with LlmError `config` where the
 * address cannot be listened on, or lets strangers in without a token.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { service, answering, host = '127.0.0.1', port = 4_747, version = '0', clock = systemClock, token } = options
  const { kept } = options
  checkAccess({ host, token })
  const limits = { ...defaultLimits, ...options.limits }
  const guard = createGuard({ host, token })
  const hub = createHub(service, clock)
  const context = { service, hub, kept, clock, guard, limits, answering, version }

  const server = createServer((request, response) => {
    serveHttp(request, response, context).catch((error: unknown) => {
      // An answer that has begun cannot be taken back.
      if (response.headersSent) response.destroy()
      else if (error instanceof LlmError) tellError(response, 503, error.code, error.message)
      else tellError(response, 500, 'internal', 'the server met a mistake of its own; look at its log')
    })
  })
  server.requestTimeout = 30_000
  server.headersTimeout = 10_000
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.messageBytes,
    perMessageDeflate: false,
    clientTracking: true,
  })
  server.on('upgrade', (request, socket, head) => {
    const refused = (status: string) =>
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
    socket.on('error', () => socket.destroy())
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname !== '/ws') return refused('404 Not Found')
    if (guard.origin(request) !== undefined) return refused('403 Forbidden')
    if (sockets.clients.size >= limits.sockets) return refused('503 Service Unavailable')
    const bearer = bearerOf(request)
    if (bearer !== undefined && guard.token(bearer) !== undefined) return refused('401 Unauthorized')
    sockets.handleUpgrade(request, socket, head, (client) => {
      alive.add(client)
      client.on('pong', () => alive.add(client))
      serveClient(client, !guard.demandsToken || bearer !== undefined, context)
    })
  })

  const alive = new WeakSet<WebSocket>()
  let cancelHeartbeat = () => {}
  const beat = () => {
    for (const client of sockets.clients) {
      if (alive.delete(client)) client.ping()
      else client.terminate()
    }
    cancelHeartbeat = clock.schedule(beat, heartbeatMs)
  }

  let bound: number
  try {
    bound = await listenOn(server, host, port)
  } catch (error) {
    hub.close()
    throw error
  }
  cancelHeartbeat = clock.schedule(beat, heartbeatMs)

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}/${token === undefined ? '' : `#token=${encodeURIComponent(token)}`}`,
    host,
    port: bound,
    get sockets() {
      return sockets.clients.size
    },
    async close() {
      cancelHeartbeat()
      for (const client of sockets.clients) client.close(1001, 'the server is closing')
      await closed(server, sockets, clock)
      hub.close()
    },
  }
}

/** Throws LlmError `config` where strangers could come in. Worth asking before anything is set up. */
export function checkAccess({
  host = '127.0.0.1',
  token,
}: {
  host?: string | undefined
  token?: string | undefined
}): void {
  const wrong = (message: string) => new LlmError('config', { message, fault: 'setting' })
  if (!isLoopback(host) && token === undefined)
    throw wrong(`--host ${host} lets other machines in; give a secret with --token`)
  if (token !== undefined && token.length < shortestToken)
    throw wrong(`--token is too short; use ${shortestToken} characters or more`)
}

/** Time for a farewell; who has not left by then is cut. */
const farewellMs = 300

async function closed(server: Server, sockets: WebSocketServer, clock: Clock): Promise<void> {
  const cancel = clock.schedule(() => {
    for (const client of sockets.clients) client.terminate()
    server.closeAllConnections()
  }, farewellMs)
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
  cancel()
  sockets.close()
}
