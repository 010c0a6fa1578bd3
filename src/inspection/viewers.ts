import { WebSocket, WebSocketServer } from 'ws'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../machines/vocabulary.ts'
import type { Recorder } from './recorder.ts'

/** News waits this long for company: twenty messages a second at most, however much happens. */
const batchMs = 50
/** A viewer that has this much unread is cut; its page joins anew and gets everything then. */
const mostUnreadBytes = 8 * 1_048_576
const mostViewers = 16

export interface Viewers {
  join(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Something changed: tell it soon. */
  changed(): void
  readonly count: number
  close(): void
}

/** Those who look: each gets everything on joining, and batches from then on. */
export function createViewers(recorder: () => Recorder, clock: Clock): Viewers {
  // The page says nothing, so there is nothing to read.
  const door = new WebSocketServer({ noServer: true, maxPayload: 1_024, perMessageDeflate: false })
  const viewers = new Set<WebSocket>()
  let cancelBatch: (() => void) | undefined

  function send(viewer: WebSocket, text: string): void {
    if (viewer.bufferedAmount > mostUnreadBytes) viewer.terminate()
    else if (viewer.readyState === WebSocket.OPEN) viewer.send(text)
  }

  function tellBatch(): void {
    cancelBatch = undefined
    const batch = recorder().takeBatch()
    if (batch === undefined || viewers.size === 0) return
    const text = JSON.stringify(batch)
    for (const viewer of viewers) send(viewer, text)
  }

  return {
    get count() {
      return viewers.size
    },
    join(request, socket, head) {
      if (viewers.size >= mostViewers) {
        socket.destroy()
        return
      }
      door.handleUpgrade(request, socket, head, (viewer) => {
        // What is pending reaches the others first; the newcomer has it in its hello.
        cancelBatch?.()
        tellBatch()
        viewers.add(viewer)
        viewer.on('close', () => viewers.delete(viewer))
        viewer.on('error', () => viewer.terminate())
        viewer.on('message', () => viewer.terminate())
        send(viewer, JSON.stringify(recorder().hello()))
      })
    },
    changed() {
      cancelBatch ??= clock.schedule(tellBatch, batchMs)
    },
    close() {
      cancelBatch?.()
      for (const viewer of viewers) viewer.terminate()
      viewers.clear()
      door.close()
    },
  }
}
