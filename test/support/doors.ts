import { once } from 'node:events'
import { WebSocket } from 'ws'
import { startInspector } from '../../src/inspection/index.ts'
import type { Clock } from '../../src/index.ts'
import { serveScript } from '../server/serve-script.ts'
import { rawSocket, statusOf } from './raw-exchange.ts'

/** One of the two servers that let strangers near: what a proper client of it says, and what it gets. */
export interface ServedDoor {
  port: number
  origin: string
  /** A path that is served by HTTP, and the one of its WebSocket. */
  page: string
  live: string
  /** Fails unless a proper request and a proper WebSocket are served. */
  serves(): Promise<void>
  close(): Promise<void>
}

export const doors: Record<string, (clock?: Clock) => Promise<ServedDoor>> = {
  async 'the page'(clock) {
    const { server, close } = await serveScript([], clock === undefined ? {} : { clock })
    return { ...doorAt(server.port, '/healthz', '/ws', '{"type":"hello","v":1}'), close }
  },
  async 'the inspector'(clock) {
    const inspector = await startInspector(clock === undefined ? {} : { clock })
    return { ...doorAt(inspector.port, '/', '/live'), close: () => inspector.close() }
  },
}

function doorAt(port: number, page: string, live: string, hello?: string): Omit<ServedDoor, 'close'> {
  const host = `127.0.0.1:${port}`
  const origin = `http://${host}`
  return {
    port,
    origin,
    page,
    live,
    async serves() {
      const status = await statusOf(port, `GET ${page} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      if (status !== 200) throw new Error(`a proper request got ${status}`)
      const socket = new WebSocket(`ws://${host}${live}`, { origin })
      const told = once(socket, 'message')
      await once(socket, 'open')
      if (hello !== undefined) socket.send(hello)
      await told
      const closed = once(socket, 'close')
      socket.terminate()
      await closed
    },
  }
}

/** A handshake, of which any line may be replaced or left out. */
export function handshake({ port, origin, live }: ServedDoor, other: Record<string, string | null> = {}): string {
  const lines = {
    start: `GET ${live} HTTP/1.1`,
    host: `Host: 127.0.0.1:${port}`,
    origin: `Origin: ${origin}`,
    connection: 'Connection: Upgrade',
    upgrade: 'Upgrade: websocket',
    version: 'Sec-WebSocket-Version: 13',
    key: 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...other,
  }
  const said = Object.values(lines).filter((line) => line !== null)
  return `${said.join('\r\n')}\r\n\r\n`
}

/** A WebSocket as raw bytes, its handshake done. */
export async function rawPeer(door: ServedDoor) {
  const peer = rawSocket(door.port, handshake(door))
  await peer.until(/101 Switching/u)
  return peer
}
