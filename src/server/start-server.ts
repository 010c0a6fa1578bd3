import { LlmError, systemClock, type Clock, type ConversationStore, type LlmService } from '../index.ts'
import { createDoor } from '../web/door.ts'
import { bearerOf, createGuard, isLoopback } from '../web/guard.ts'
import type { PlaceLimits } from '../web/places.ts'
import { serveHttp } from './http-routes.ts'
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

export interface ServerLimits extends WireLimits, PlaceLimits {
  /** What a reader may have waiting before it is cut. */
  bufferedBytes: number
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
  // More than a port queues: a thousand clients that come back at once are all heard.
  waiting: 1_024,
}
/** Time for a farewell; who has not left by then is cut. */
const farewellMs = 300
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

  const door = createDoor({
    guard,
    clock,
    places: limits,
    answer: (visit) => serveHttp(visit, context),
    socketPath: '/ws',
    messageBytes: limits.messageBytes,
    bufferedBytes: limits.bufferedBytes,
    serve: (peer, { request }) => serveClient(peer, !guard.demandsToken || bearerOf(request) !== undefined, context),
  })

  let bound: number
  try {
    bound = await listenOn(door.server, host, port)
  } catch (error) {
    hub.close()
    throw error
  }

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}/${token === undefined ? '' : `#token=${encodeURIComponent(token)}`}`,
    host,
    port: bound,
    get sockets() {
      return door.sockets
    },
    async close() {
      await door.close(farewellMs)
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
