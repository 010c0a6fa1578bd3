import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { conversationMachine, replyMachine } from '../../machines/index.ts'
import {
  LlmError,
  readStoredConversation,
  type Clock,
  type Conversation,
  type ConversationStore,
  type ErrorCode,
  type LlmService,
  type Turn,
} from '../index.ts'
import { chartOf } from './chart.ts'
import { bearerOf, type Guard } from './guard.ts'
import type { Hub } from './hub.ts'
import { keptHistory } from './kept-history.ts'
import { securityHeaders, servePage } from './pages.ts'
import { protocolVersion, type Answering, type ServerMessage } from './protocol.ts'
import type { WireLimits } from './wire-client.ts'

export interface HttpContext {
  service: LlmService
  hub: Hub
  kept: Pick<ConversationStore, 'load'> | undefined
  clock: Clock
  guard: Guard
  limits: WireLimits
  answering: Answering
  version: string
}

const conversationPath = /^\/conversations\/([^/]+)\/(ask|history)$/u

/** Answers one HTTP request. What goes wrong is told as `{ "error": { code, message } }`. */
export async function serveHttp(
  request: IncomingMessage,
  response: ServerResponse,
  context: HttpContext,
): Promise<void> {
  for (const [name, value] of Object.entries(securityHeaders(request.headers.host))) response.setHeader(name, value)
  const { guard, hub, answering, version } = context
  const stranger = guard.origin(request)
  if (stranger !== undefined) return tellError(response, stranger.status, 'auth', stranger.message)
  const path = new URL(request.url ?? '/', 'http://localhost').pathname
  // Node leaves the body of an answer to HEAD away by itself.
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET')
  if (method === 'GET' && path === '/healthz')
    return tell(response, 200, { ok: true, v: protocolVersion, version, answering })
  // The page itself holds no secret; what it asks for does.
  if (method === 'GET' && (await servePage(path, response))) return
  const nobody = guard.token(bearerOf(request))
  if (nobody !== undefined) {
    response.setHeader('www-authenticate', 'Bearer')
    return tellError(response, nobody.status, 'auth', nobody.message)
  }
  if (path === '/charts.json' && method === 'GET')
    return tell(response, 200, { conversation: chartOf(conversationMachine), reply: chartOf(replyMachine) })
  if (path === '/conversations' && method === 'GET') return tell(response, 200, { conversations: hub.lines() })
  const [, rawId = '', what] = conversationPath.exec(path) ?? []
  if (what === undefined)
    return tellError(response, 404, 'bad-input', 'there is nothing at this path; docs/protocol.md lists them')
  const id = decoded(rawId)
  if (id === undefined) return tellError(response, 400, 'bad-input', 'the conversation id is not valid')
  if (what === 'history') {
    if (method !== 'GET') return notAllowed(response, 'GET')
    const history = await historyOf(id, context)
    if (history === undefined) return tellError(response, 404, 'bad-input', 'there is no such conversation yet')
    return tell(response, 200, { conversationId: id, history })
  }
  if (method !== 'POST') return notAllowed(response, 'POST')
  return ask(request, response, id, context)
}

/** undefined: never heard of. A look opens no conversation: one that is only kept is read from where it is kept. */
async function historyOf(id: string, { service, hub, kept }: HttpContext): Promise<readonly Turn[] | undefined> {
  if (hub.has(id)) {
    const conversation = service.conversation(id)
    await conversation.ready
    return conversation.history
  }
  const stored = await kept?.load(id)
  if (stored === undefined) return undefined
  const read = readStoredConversation(id, stored)
  if (read.ok) return keptHistory(read.remembered)
  throw new LlmError('store', { message: `what is kept of this conversation cannot be used: ${read.reason}` })
}

async function ask(
  request: IncomingMessage,
  response: ServerResponse,
  id: string,
  { hub, limits, clock }: HttpContext,
): Promise<void> {
  if (!/^application\/json\b/iu.test(request.headers['content-type'] ?? ''))
    return tellError(response, 415, 'bad-input', 'send application/json: { "text": "…" }')
  const body = await readBody(request, limits.messageBytes)
  if (body === undefined) {
    response.setHeader('connection', 'close')
    return tellError(response, 413, 'bad-input', `the body is longer than ${limits.messageBytes} bytes`)
  }
  const parsed = Question.safeParse(body.json)
  if (!parsed.success || parsed.data.text.trim() === '')
    return tellError(response, 400, 'bad-input', 'the body must be { "text": "…" }, with at least one word')
  if (parsed.data.text.length > limits.utteranceChars)
    return tellError(
      response,
      400,
      'bad-input',
      `the text is longer than limits.utteranceChars (${limits.utteranceChars})`,
    )
  const { conversation } = hub.channel(id)
  const isOver = () => conversation.actor.getSnapshot().status !== 'active'
  // What it tells until then is of an earlier run.
  if (!isOver()) await conversation.ready
  // Who left meanwhile wants no reply, and 'close' is not told again.
  if (response.destroyed) return
  if (isOver()) return tellError(response, 409, 'bad-input', 'this conversation is over; use another id')
  await stream(conversation, parsed.data.text, response, { bufferedBytes: limits.bufferedBytes, clock })
}

const Question = z.strictObject({ text: z.string() })

/** The turn as server-sent events, each named after its type; closing the request ends the reply. */
async function stream(
  conversation: Conversation,
  text: string,
  response: ServerResponse,
  { bufferedBytes, clock }: { bufferedBytes: number; clock: Clock },
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' })
  const { id: conversationId } = conversation
  const send = (message: ServerMessage) => {
    if (response.writableLength > bufferedBytes) return response.destroy()
    response.write(`event: ${message.type}\ndata: ${JSON.stringify(message)}\n\n`)
  }
  const events = conversation.events.subscribe(send)
  const deltas = conversation.deltas.subscribe((delta) =>
    send({ type: 'delta', conversationId, atMs: clock.now(), ...delta }),
  )
  let isOver = false
  response.on('close', () => {
    events.unsubscribe()
    deltas.unsubscribe()
    if (!isOver) conversation.interrupt()
  })
  try {
    const outcome = await conversation.ask(text)
    isOver = true
    send({ type: 'outcome', conversationId, outcome })
  } finally {
    isOver = true
    response.end()
  }
}

/** undefined: too long. What is no JSON is left to the schema. */
async function readBody(request: IncomingMessage, mostBytes: number): Promise<{ json: unknown } | undefined> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request) {
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

function tell(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  response.end(JSON.stringify(body))
}

export function tellError(response: ServerResponse, status: number, code: ErrorCode, message: string): void {
  tell(response, status, { error: { code, message } })
}

function notAllowed(response: ServerResponse, allowed: string): void {
  response.setHeader('allow', allowed)
  tellError(response, 405, 'bad-input', `use ${allowed} here`)
}
