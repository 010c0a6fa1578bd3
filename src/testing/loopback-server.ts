import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { z } from 'zod'
import { createGate, play, type Gate } from './loopback/play.ts'
import { recordsOf, type Dialect } from './loopback/records.ts'
import { refuse } from './loopback/refusals.ts'
import type { LoopbackFault, LoopbackReply } from './loopback/replies.ts'
import { answer, chatDialect, type LoopbackModel, type LoopbackServes } from './loopback/routes.ts'
import { listening } from './loopback/sockets.ts'
import { bodySteps, isPacked } from './loopback/steps.ts'
import { watchers } from './loopback/watchers.ts'

export type { LoopbackFault, LoopbackReply } from './loopback/replies.ts'
export type { LoopbackModel, LoopbackServes } from './loopback/routes.ts'
export { refusedUrl, socketServer } from './loopback/sockets.ts'

export interface LoopbackOptions {
  /** Which server is played. Default `ollama`. */
  serves?: LoopbackServes
  /** One per chat request in order of arrival, the last for all further ones; or who makes them. Default: `Hello.` */
  replies?: readonly LoopbackReply[] | ((request: LoopbackRequest) => LoopbackReply)
  /** Default: one model `m1`, loaded. A chat request for another is answered as an unknown model. */
  models?: readonly (string | LoopbackModel)[]
  /** Where set, every request must bring it as bearer token. */
  apiKey?: string
  version?: string
  /** Default: a free one. */
  port?: number
}

/** One chat request as the server saw it. */
export interface LoopbackRequest {
  /** Counted from 0 over the chat requests. */
  index: number
  path: string
  dialect: Dialect
  headers: Record<string, string>
  /** Parsed JSON. */
  body: Record<string, unknown>
  model: string
  /** On the clock of `performance.now()`, milliseconds. */
  seenAtMs: number
  /** When the connection closed; undefined while it is open. */
  closedAtMs: number | undefined
  /** The client closed before the reply was complete. */
  closedEarly: boolean
}

/** A model server on a real socket of 127.0.0.1, which says what it is told and does wrong what it is told. */
export interface LoopbackServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly port: number
  /** The chat requests so far; probes and lists are not among them. */
  readonly requests: readonly LoopbackRequest[]
  /** Every request, `GET /api/tags` for one. */
  readonly seen: readonly string[]
  /** Sockets open now. */
  readonly openSockets: number
  /** Resolves once chat request i has arrived with its body. */
  requested(i: number): Promise<LoopbackRequest>
  /** Resolves once the connection of chat request i has closed, by whomever. */
  closed(i: number): Promise<LoopbackRequest>
  /** Lets reply i go on past its next `hold`; may be called ahead. */
  release(i: number): void
  /** Replaces the replies still to come, counted anew from the next request. */
  reply(...replies: LoopbackReply[]): void
  /** Replaces the models. */
  setModels(models: readonly (string | LoopbackModel)[]): void
  /** Closes the port and every socket. */
  close(): Promise<void>
}

const typeOf = (fault: LoopbackFault | undefined, type: string) => (fault?.kind === 'html' ? 'text/html' : type)

const Body = z.record(z.string(), z.unknown()).catch({})
function readBody(text: string): Record<string, unknown> {
  try {
    return Body.parse(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

const modelName = z.string().catch('')

// faults where the server closes, so that it is not taken for the client's doing
const closesItself: ReadonlySet<LoopbackFault['kind']> = new Set([
  'reset',
  'close',
  'not-http',
  'huge-headers',
  'unreadable-error',
  'cut',
  'close-body',
])

const modelsOf = (models: readonly (string | LoopbackModel)[]): LoopbackModel[] =>
  models.map((model) => (typeof model === 'string' ? { name: model } : model))

/**
 * Starts a loopback server on a free port; close it when the test is over.
 *
 *     const server = await loopbackServer({ replies: [{ text: 'It is noon.' }, { fault: { kind: 'cut', afterDeltas: 1 } }] })
 *     const service = createLlmService({ baseUrl: server.url })
 */
export async function loopbackServer(options: LoopbackOptions = {}): Promise<LoopbackServer> {
  const { serves = 'ollama', version = '0.33.0', apiKey } = options
  let models = modelsOf(options.models ?? ['m1'])
  let replies = options.replies ?? [{}]
  let repliesFrom = 0
  const requests: LoopbackRequest[] = []
  const seen: string[] = []
  const sockets = new Set<Socket>()
  const gates = new Map<number, Gate>()
  const arrivals = watchers()
  const departures = watchers()
  const gateOf = (index: number): Gate => {
    const gate = gates.get(index) ?? createGate()
    gates.set(index, gate)
    return gate
  }

  const chat = async (request: IncomingMessage, response: ServerResponse, dialect: Dialect, body: string) => {
    const index = requests.length
    const parsed = readBody(body)
    const model = modelName.parse(parsed['model'])
    const entry: LoopbackRequest = {
      index,
      path: request.url ?? '',
      dialect,
      headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
      body: parsed,
      model,
      seenAtMs: performance.now(),
      closedAtMs: undefined,
      closedEarly: false,
    }
    requests.push(entry)
    let closedByUs = false
    request.socket.once('close', () => {
      entry.closedAtMs = performance.now()
      entry.closedEarly = !response.writableEnded && !closedByUs
      departures.tell(index)
    })
    arrivals.tell(index)
    const scripted =
      typeof replies === 'function' ? replies(entry) : replies[Math.min(index - repliesFrom, replies.length - 1)]
    const reply = scripted ?? {}
    const gate = gateOf(index)
    if (reply.hold === 'headers') await gate.wait()
    if (entry.closedAtMs !== undefined) return
    const { fault } = reply
    closedByUs = fault !== undefined && closesItself.has(fault.kind)
    if (fault !== undefined && refuse(response, fault, dialect, model)) return
    if (models.every(({ name }) => name !== model)) {
      refuse(response, { kind: 'model-missing' }, dialect, model)
      return
    }
    const records = recordsOf(dialect, reply, model)
    const whole =
      reply.whole === true || parsed['stream'] === false || (dialect === 'openai' && parsed['stream'] !== true)
    response.writeHead(200, {
      'content-type': reply.contentType ?? typeOf(fault, whole ? 'application/json' : records.contentType),
      ...(isPacked(reply) ? { 'content-encoding': 'gzip' } : {}),
    })
    response.flushHeaders()
    await play(response, bodySteps({ ...reply, whole }, records), gate)
  }

  const server = createServer((request, response) => {
    // one connection for one request, so that each close belongs to one of them
    response.shouldKeepAlive = false
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    seen.push(`${request.method ?? ''} ${path}`)
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('error', () => response.destroy())
    request.on('end', () => {
      const body = Buffer.concat(pieces).toString('utf8')
      if (apiKey !== undefined && request.headers.authorization !== `Bearer ${apiKey}`) {
        response.writeHead(401, { 'content-type': 'application/json', 'www-authenticate': 'Bearer' })
        response.end(JSON.stringify({ error: 'unauthorized' }))
        return
      }
      const dialect = request.method === 'POST' ? chatDialect(serves, path) : undefined
      if (dialect !== undefined) {
        void chat(request, response, dialect, body)
        return
      }
      const model = modelName.parse(readBody(body)['model'])
      const told = answer({ method: request.method ?? 'GET', path, serves, models, version, model })
      response.writeHead(told.status, { 'content-type': told.contentType })
      response.end(told.body)
    })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
  })
  const port = await listening(server, options.port)
  const at = (index: number): LoopbackRequest => {
    const entry = requests[index]
    if (entry === undefined) throw new RangeError(`no request ${index} was seen`)
    return entry
  }
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    seen,
    get openSockets() {
      return sockets.size
    },
    async requested(i) {
      await arrivals.told(i)
      return at(i)
    },
    async closed(i) {
      await departures.told(i)
      return at(i)
    },
    release: (i) => gateOf(i).release(),
    reply(...next) {
      replies = next
      repliesFrom = requests.length
    },
    setModels(next) {
      models = modelsOf(next)
    },
    close,
  }
}
