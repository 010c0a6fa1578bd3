import type { Duplex } from 'node:stream'
import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'

/** How long a connection may say nothing. */
export const muteMs: Milliseconds = 5_000

export interface PlaceLimits {
  /** Connections that are served at a time. */
  sockets: number
  /** Connections that may wait to be, beside those. */
  waiting: number
}

/**
 * Who is served, and who waits. Whoever connects waits until it has shown that it is a client; one that says nothing is
 * cut in time, and earlier where a newcomer needs its place. So thousands that say nothing keep nobody out.
 */
export interface Places {
  /** Begins a wait of `ms`, or begins it anew. */
  wait(socket: Duplex, ms: Milliseconds, cut?: () => void): void
  /** From waiting to served, until the returned function is called. undefined: every place is taken. */
  take(socket: Duplex): (() => void) | undefined
  readonly areTaken: boolean
  close(): void
}

export function createPlaces({ sockets, waiting: most }: PlaceLimits, clock: Clock): Places {
  /** Who has waited longest comes first. */
  const waiting = new Map<Duplex, { cut: () => void; cancel: () => void }>()
  /** How often each is served: a connection may have asked several things at once. */
  const served = new Map<Duplex, number>()
  const known = new WeakSet<Duplex>()
  let taken = 0

  function leave(socket: Duplex): void {
    waiting.get(socket)?.cancel()
    waiting.delete(socket)
  }

  return {
    wait(socket, ms, cut = () => socket.destroy()) {
      leave(socket)
      if (socket.destroyed || served.has(socket)) return
      if (!known.has(socket)) socket.once('close', () => leave(socket))
      known.add(socket)
      const leaveAndCut = () => {
        leave(socket)
        cut()
      }
      const one = { cut: leaveAndCut, cancel: () => {} }
      // After a stall of the process its words may lie in the socket: they are read before its silence is believed.
      one.cancel = clock.schedule(() => (one.cancel = clock.schedule(leaveAndCut, 0)), ms)
      waiting.set(socket, one)
      const [longest] = waiting.values()
      if (waiting.size > most) longest?.cut()
    },
    take(socket) {
      if (taken >= sockets) return undefined
      leave(socket)
      taken += 1
      served.set(socket, (served.get(socket) ?? 0) + 1)
      let isTaken = true
      return () => {
        if (!isTaken) return
        isTaken = false
        taken -= 1
        const others = (served.get(socket) ?? 1) - 1
        if (others === 0) served.delete(socket)
        else served.set(socket, others)
      }
    },
    get areTaken() {
      return taken >= sockets
    },
    close() {
      for (const socket of waiting.keys()) leave(socket)
    },
  }
}
