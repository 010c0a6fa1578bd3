import { LlmError } from '../backends/contract.ts'
import { createDoor } from '../web/door.ts'
import { createLoopbackGuard } from '../web/guard.ts'
import type { Peer, PeerHandlers } from '../web/peer.ts'
import { refuse } from '../web/refusal.ts'
import type { Visit } from '../web/visits.ts'
import type { Clock } from '../../machines/vocabulary.ts'
import { readPageFiles } from './page-files.ts'

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])

export interface PageServer {
  readonly port: number
  readonly url: string
  close(): Promise<void>
}

/** A viewer that has this much unread is cut; its page joins anew and gets everything then. */
const mostUnreadBytes = 8 * 1_048_576
const mostViewers = 16
const mostWaiting = 512

/**
 * Serves the page on loopback. Every request must name us as its host, so that no other site can reach us under a
 * name of its own (DNS rebinding), and a WebSocket must come from our own page.
 */
export async function servePage({
  host,
  port,
  clock,
  join,
}: {
  host: string
  port: number
  clock: Clock
  /** What is done with a viewer. */
  join(peer: Peer): PeerHandlers
}): Promise<PageServer> {
  if (!loopback.has(host)) {
    throw new LlmError('config', {
      message: `the inspector serves this machine alone; host may be 127.0.0.1, ::1 or localhost, not ${host}`,
    })
  }
  const files = readPageFiles()
  const door = createDoor({
    guard: createLoopbackGuard(() => bound()),
    clock,
    places: { sockets: mostViewers, waiting: mostWaiting },
    answer: (visit) => answer(visit, files),
    socketPath: '/live',
    // The page says nothing, so there is nothing to read.
    messageBytes: 1_024,
    bufferedBytes: mostUnreadBytes,
    serve: join,
  })
  const { server } = door
  const bound = () => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

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
  return { port: bound(), url: `http://${shownHost}:${bound()}/`, close: () => door.close(0) }
}

function answer({ method, path, response }: Visit, files: ReturnType<typeof readPageFiles>): void {
  if (method !== 'GET' && method !== 'HEAD')
    return refuse(response, { status: 405, code: 'bad-input', message: 'use GET here' })
  const file = files.get(path)
  if (file === undefined) return refuse(response, { status: 404, code: 'bad-input', message: 'there is no such file' })
  response.writeHead(200, {
    'content-type': file.type,
    'content-length': file.body.length,
    'cache-control': 'no-store',
    'permissions-policy': 'microphone=(), camera=(), geolocation=()',
  })
  // Node leaves the body of an answer to HEAD away by itself.
  response.end(file.body)
}
