import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Clock } from '../../machines/vocabulary.ts'
import { readAsked, type Asked, type AskedOrRefused } from './asked.ts'
import { atEdge, reportMistake } from './edge.ts'
import { bearerOf, type Guard } from './guard.ts'
import { servePeer, type Peer, type PeerHandlers } from './peer.ts'
import type { Places } from './places.ts'
import { refuseSocket, type Refusal } from './refusal.ts'

export interface UpgradeOptions {
  guard: Guard
  places: Places
  clock: Clock
  /** The one path that takes WebSockets. */
  socketPath: string
  /** The longest message. */
  messageBytes: number
  /** What a reader may have waiting before it is cut. */
  bufferedBytes: number
  /** What is done with each. */
  serve(peer: Peer, asked: Asked): PeerHandlers
}

export interface Upgrades {
  /** Open WebSockets. */
  readonly count: number
  /** Begins to look, now and then, who is still there. */
  beat(): void
  close(code: number, reason: string): void
  cut(): void
}

/** A WebSocket that answers no ping within this time is gone. */
const heartbeatMs = 30_000

/** Takes the WebSockets of a server, and refuses every other upgrade. */
export function serveUpgrades(server: Server, options: UpgradeOptions): Upgrades {
  const { guard, places, clock, messageBytes, serve } = options
  const sockets = new WebSocketServer({ noServer: true, maxPayload: messageBytes, perMessageDeflate: false })
  const alive = new WeakSet<WebSocket>()
  let cancelBeat = () => {}

  function upgraded(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Node has taken its own listeners off.
    socket.on('error', () => socket.destroy())
    const { asked, refusal } = readUpgrade(request)
    if (refusal !== undefined) return refuseSocket(socket, refusal)
    sockets.handleUpgrade(request, socket, head, (client) => {
      alive.add(client)
      client.on('pong', () => alive.add(client))
      servePeer(client, (peer) => serve(peer, asked), { ...options, socket })
    })
  }

  function readUpgrade(request: IncomingMessage): AskedOrRefused {
    const read = readAsked(request, guard)
    if (read.refusal !== undefined) return read
    const bearer = bearerOf(request)
    const unknown = bearer === undefined ? undefined : guard.token(bearer)
    if (unknown !== undefined) return { refusal: unknown }
    if (read.asked.path !== options.socketPath) return { refusal: notHere }
    if (request.httpVersion !== '1.1') return { refusal: tooOld }
    if (places.areTaken) return { refusal: full }
    return read
  }

  server.on(
    'upgrade',
    atEdge(upgraded, (error, [, socket]) => {
      reportMistake(error)
      socket.destroy()
    }),
  )

  function beat(): void {
    // After a stall of the process answers may lie in the sockets: they are read first.
    cancelBeat = clock.schedule(judge, 0)
  }

  function judge(): void {
    for (const client of sockets.clients) {
      if (!alive.delete(client)) client.terminate()
      else if (client.readyState === client.OPEN) client.ping()
    }
    cancelBeat = clock.schedule(beat, heartbeatMs)
  }

  return {
    get count() {
      return sockets.clients.size
    },
    beat: () => void (cancelBeat = clock.schedule(beat, heartbeatMs)),
    close(code, reason) {
      cancelBeat()
      for (const client of sockets.clients) client.close(code, reason)
    },
    cut() {
      for (const client of sockets.clients) client.terminate()
    },
  }
}

const notHere: Refusal = { status: 404, code: 'bad-input', message: 'no WebSocket is served at this path' }
const tooOld: Refusal = { status: 400, code: 'bad-input', message: 'a WebSocket begins with HTTP/1.1' }
const full: Refusal = { status: 503, code: 'overloaded', message: 'every place is taken; try again later' }
