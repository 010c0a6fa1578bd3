import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { conversationMachine, replyMachine } from '../../machines/index.ts'
import {
  LlmError,
  readStoredConversation,
  type Clock,
  type Conversation,
  type ConversationStore,
  type LlmService,
  type Turn,
} from '../index.ts'
import { bearerOf, type Guard } from '../web/guard.ts'
import { refuse, type Refusal } from '../web/refusal.ts'
import type { Visit } from '../web/visits.ts'
import { chartOf } from './chart.ts'
import type { Hub } from './hub.ts'
import { keptHistory } from './kept-history.ts'
import { servePage } from './pages.ts'
import { protocolVersion, type Answering, type ServerMessage } from './protocol.ts'
import type { WireLimits } from './wire-client.ts'

export interface HttpContext {
  service: LlmService
  hub: Hub
  kept: Pick<ConversationStore, 'load'> | undefined
  clock: Clock
  guard: Guard
  limits: WireLimits & { bufferedBytes: number }
  answering: Answering
  version: string
}

const conversationPath = /^\/conversations\/([^/]+)\/(ask|history)$/u

/** Answers one HTTP request. What goes wrong is told as `{ "error": { code, message } }`. */
export async function serveHttp(visit: Visit, context: HttpContext): Promise<void> {
  const { response } = visit
  try {
    const refusal = await route(visit, context)
    if (refusal !== undefined) refuse(response, refusal)
  } catch (error) {
    if (!(error instanceof LlmError) || response.headersSent) throw error
    refuse(response, { status: 503, code: error.code, message: error.message })
  }
}

async function route(visit: Visit, context: HttpContext): Promise<Refusal | undefined> {
  const { request, response, path } = visit
  const { guard, hub, answering, version } = context
  // Node leaves the body of an answer to HEAD away by itself.
  const method = visit.method === 'HEAD' ? 'GET' : visit.method
  if (method === 'GET' && path === '/healthz')
    return tell(response, { ok: true, v: protocolVersion, version, answering })
  // The page itself holds no secret; what it asks for does.
  if (method === 'GET' && (await servePage(path, response))) return undefined
  const nobody = guard.token(bearerOf(request))
  if (nobody !== undefined) return nobody
  if (path === '/charts.json' && method === 'GET')
    return tell(response, { conversation: chartOf(conversationMachine), reply: chartOf(replyMachine) })
  if (path === '/conversations' && method === 'GET') return tell(response, { conversations: hub.lines() })
  const [, rawId = '', what] = conversationPath.exec(path) ?? []
  if (what === undefined)
    return { status: 404, code: 'bad-input', message: 'there is nothing at this path; docs/protocol.md lists them' }
  const id = decoded(rawId)
  if (id === undefined) return badInput('the conversation id is not valid')
  if (what === 'history') {
    if (method !== 'GET') return notAllowed(response, 'GET')
    const history = await historyOf(id, context)
    if (history === undefined) return { status: 404, code: 'bad-input', message: 'there is no such conversation yet' }
    return tell(response, { conversationId: id, history })
  }
  if (method !== 'POST') return notAllowed(response, 'POST')
  return ask(visit, id, context)
}

/** undefined: never heard of. A look opens no conversation: one that is only kept is read from where it is kept. */
async function historyOf(id: string, { service, kept }: HttpContext): Promise<readonly Turn[] | undefined> {
  const live = service.find(id)
  if (live !== undefined) {
    await live.ready
    return live.history
  }
  const stored = await kept?.load(id)
  if (stored === undefined) return undefined
  const read = readStoredConversation(id, stored)
  if (read.ok) return keptHistory(read.remembered)
  throw new LlmError('store', { message: `what is kept of this conversation cannot be used: ${read.reason}` })
}

async function ask(visit: Visit, id: string, { service, limits, clock }: HttpContext): Promise<Refusal | undefined> {
  const { request, response } = visit
  if (!/^application\/json\b/iu.test(request.headers['content-type'] ?? ''))
    return { status: 415, code: 'bad-input', message: 'send application/json: { "text": "…" }' }
  const body = await readBody(request, limits.messageBytes)
  if (body === undefined) {
    response.setHeader('connection', 'close')
    return { status: 413, code: 'bad-input', message: `the body is longer than ${limits.messageBytes} bytes` }
  }
  const parsed = Question.safeParse(body.json)
  if (!parsed.success || parsed.data.text.trim() === '')
    return badInput('the body must be { "text": "…" }, with at least one word')
  if (parsed.data.text.length > limits.utteranceChars)
    return badInput(`the text is longer than limits.utteranceChars (${limits.utteranceChars})`)
  const place = visit.takePlace()
  if (place === undefined) return { status: 503, code: 'overloaded', message: 'every place is taken; try again later' }
  try {
    const conversation = service.conversation(id)
    // What it says until then is of an earlier run.
    await conversation.ready
    // Who left meanwhile wants no reply, and 'close' does not come again.
    if (response.destroyed) return undefined
    await stream(conversation, parsed.data.text, visit, { bufferedBytes: limits.bufferedBytes, clock })
  } finally {
    place.leave()
  }
  return undefined
}

const Question = z.strictObject({ text: z.string() })

/** The turn as server-sent events, each named after its type; closing the request ends the reply. */
async function stream(
  conversation: Conversation,
  text: string,
  { response, later }: Visit,
  { bufferedBytes, clock }: { bufferedBytes: number; clock: Clock },
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' })
  const { id: conversationId } = conversation
  const send = (message: ServerMessage) => {
    if (response.writableLength > bufferedBytes) return response.destroy()
    response.write(`event: ${message.type}\ndata: ${JSON.stringify(message)}\n\n`)
  }
  const told = conversation.events.subscribe(send)
  told.add(
    conversation.deltas.subscribe((delta) => send({ type: 'delta', conversationId, atMs: clock.now(), ...delta })),
  )
  const left = later(() => {
    told.unsubscribe()
    conversation.interrupt()
  })
  response.on('close', left)
  try {
    const outcome = await conversation.ask(text)
    send({ type: 'outcome', conversationId, outcome })
  } finally {
    response.off('close', left)
    // The conversation may go on before a slow reader has read the end, after which nothing may be written.
    told.unsubscribe()
    response.end()
  }
}

/** undefined: too long. What is no JSON is left to the schema. */
async function readBody(request: IncomingMessage, mostBytes: number): Promise<{ json: unknown } | undefined> {
  const pieces: Buffer[] = []
  let bytes = 0
  // Destroyed it could not be answered.
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    const read = Buffer.from(piece)
    bytes += read.length
    if (bytes > mostBytes) return undefined
    pieces.push(read)
  }
  try {
    return { json: JSON.parse(Buffer.concat(pieces).toString('utf8')) }
  } catch (error) {
    if (error instanceof SyntaxError) return { json: undefined }
    throw error
  }
}

function decoded(raw: string): string | undefined {
  try {
    const id = decodeURIComponent(raw)
    return id.length > 0 && id.length <= 200 && !/\p{Cc}/u.test(id) ? id : undefined
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

function tell(response: ServerResponse, body: unknown): undefined {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
  response.end(JSON.stringify(body))
}

function badInput(message: string): Refusal {
  return { status: 400, code: 'bad-input', message }
}

function notAllowed(response: ServerResponse, allowed: string): Refusal {
  response.setHeader('allow', allowed)
  return { status: 405, code: 'bad-input', message: `use ${allowed} here` }
}
