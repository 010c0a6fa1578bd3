import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Milliseconds } from '../../machines/vocabulary.ts'
import { atEdge, reportMistake } from './edge.ts'
import { createPlaces, muteMs, type PlaceLimits } from './places.ts'
import { serveUpgrades, type UpgradeOptions } from './upgrades.ts'
import { answerMs, serveVisits, type VisitOptions } from './visits.ts'

export type DoorOptions = Omit<VisitOptions & UpgradeOptions, 'places'> & { places: PlaceLimits }

export interface Door {
  /** To be listened with. */
  readonly server: Server
  /** Open WebSockets. */
  readonly sockets: number
  /** Closes the port. Whoever has not left after the farewell is cut. */
  close(farewellMs: Milliseconds): Promise<void>
}

/**
 * The door of whoever serves a page: HTTP and WebSockets, and the one place that puts handlers on sockets. The guard looks
 * at a request before it is read, what is odd is refused, those who say nothing wait apart from those who are served, and
 * no handler throws past its edge.
 */
export function createDoor(options: DoorOptions): Door {
  const { clock } = options
  const places = createPlaces(options.places, clock)
  const server = createServer({ headersTimeout: muteMs, requestTimeout: answerMs })
  // Node drops the headers over its count without a word, perhaps an Origin. Their size is limited all the same.
  server.maxHeadersCount = 0
  server.on(
    'connection',
    atEdge((socket: Socket) => places.wait(socket, muteMs), reportMistake),
  )
  serveVisits(server, { ...options, places })
  const upgrades = serveUpgrades(server, { ...options, places })
  server.on('listening', upgrades.beat)
  // Until it listens, errors are for those who asked for the port; later one is a connection that could not be taken.
  server.on('error', (error) => {
    if (server.listening) reportMistake(error)
  })
  return {
    server,
    get sockets() {
      return upgrades.count
    },
    async close(farewellMs) {
      upgrades.close(1001, 'the server is closing')
      const cut = () => {
        upgrades.cut()
        server.closeAllConnections()
      }
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      if (farewellMs === 0) cut()
      const cancel = clock.schedule(cut, farewellMs)
      await closed
      cancel()
      places.close()
    },
  }
}
