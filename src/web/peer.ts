import type { Duplex } from 'node:stream'
import { WebSocket, type RawData } from 'ws'
import { atEdge, reportMistake } from './edge.ts'
import { muteMs, type Places } from './places.ts'

/** The other side of a WebSocket, for those who serve it. It waits until `settle`. */
export interface Peer {
  /** Unless it has gone. One that does not read is cut: it must not fill our memory. */
  send(text: string): void
  ping(): void
  /** From waiting to served; true also when it is already. false: every place is taken. */
  settle(): boolean
  /** Says why and cuts at once: a close that waits for its answer keeps a place as long as a stranger likes. */
  dismiss(code: number, reason: string): void
  cut(): void
  /** A handler of this peer's that something else calls later. A mistake in it cuts the peer. */
  later<Given extends unknown[]>(handle: (...given: Given) => void | Promise<void>): (...given: Given) => void
}

/** What is done with a peer. */
export interface PeerHandlers {
  /** undefined: it was no text. Not called any more for one that was dismissed or cut. */
  heard(text: string | undefined): void | Promise<void>
  /** It has answered a ping. */
  answered?(): void | Promise<void>
  left(): void
}

/** Close codes beside those of the standard that any door may use. */
export const muteCode = 4408
/** Standard: try again later. */
export const fullCode = 1013

export function servePeer(
  client: WebSocket,
  serve: (peer: Peer) => PeerHandlers,
  { socket, places, bufferedBytes }: { socket: Duplex; places: Places; bufferedBytes: number },
): void {
  let leavePlace: (() => void) | undefined
  let isOver = false

  function cut(): void {
    isOver = true
    client.terminate()
  }

  function dismiss(code: number, reason: string): void {
    client.close(code, reason)
    cut()
  }

  function later<Given extends unknown[]>(handle: (...given: Given) => void | Promise<void>) {
    return atEdge(handle, (error) => {
      reportMistake(error)
      cut()
    })
  }

  const handlers = serve({
    send(text) {
      if (client.readyState !== WebSocket.OPEN) return
      // No farewell: it would wait behind the rest.
      if (client.bufferedAmount > bufferedBytes) cut()
      else client.send(text)
    },
    ping() {
      if (client.readyState === WebSocket.OPEN) client.ping()
    },
    settle() {
      leavePlace ??= places.take(socket)
      return leavePlace !== undefined
    },
    dismiss,
    cut,
    later,
  })
  const hear = (data: RawData, isBinary: boolean): void | Promise<void> => {
    if (!isOver) return handlers.heard(isBinary ? undefined : textOf(data))
  }
  client.on('message', later(hear))
  client.on(
    'pong',
    later(() => handlers.answered?.()),
  )
  // A frame that breaks the rules: ws has said so to the peer, and would wait for its answer.
  client.on('error', later(cut))
  client.on(
    'close',
    later(() => {
      leavePlace?.()
      handlers.left()
    }),
  )
  places.wait(socket, muteMs, () => dismiss(muteCode, 'say hello first'))
}

function textOf(data: RawData): string {
  const pieces = Array.isArray(data) ? data : [data instanceof ArrayBuffer ? Buffer.from(data) : data]
  return Buffer.concat(pieces).toString('utf8')
}
