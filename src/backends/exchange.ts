import type { z } from 'zod'
import { LlmError, type BackendRecord } from './contract.ts'
import type { HttpReply, HttpRequest, Transport } from './http.ts'
import { onOwnSocket } from './own-socket.ts'
import { nothingSpoken, type Spoken } from './redaction.ts'
import { failureOfStatus, parseJson } from './status-faults.ts'

const errorBodyBytes = 65_536
// a server that names its status and then falls silent has said enough
const errorBodyIdleMs = 250
const listBytes = 8 * 1_048_576

/** What stays the same over all requests of one backend. */
export interface Exchange {
  transport: Transport
  /** Shown in errors: the dialect. */
  backend: string
}

export interface Ask extends HttpRequest {
  model?: string
  /** What was said: never quoted in an error. */
  spoken?: Spoken
  on?(record: BackendRecord): void
}

/** Sends a request and resolves with a reply of status 200–299; every other status becomes its LlmError. */
export async function exchange({ transport, backend }: Exchange, ask: Ask): Promise<HttpReply> {
  const { signal, on, spoken = nothingSpoken, model } = ask
  const report = (record: BackendRecord) => {
    if (!signal.aborted) on?.(record)
  }
  const reply = await transport.open({ ...ask, onConnected: () => report({ type: 'connected' }) })
  signal.throwIfAborted()
  report({ type: 'headers', status: reply.status })
  if (reply.status >= 200 && reply.status < 300) return reply
  const body = await readStart(reply, signal)
  throw failureOfStatus({
    status: reply.status,
    header: reply.header,
    body,
    backend,
    origin: transport.address.origin,
    privacy: { secrets: transport.secrets, spoken },
    ...(model === undefined ? {} : { model }),
  })
}

/** The first 64 KiB as text. A body that breaks off gives what came: the status decides, not the body. */
async function readStart(reply: HttpReply, signal: AbortSignal): Promise<string> {
  const pieces: Uint8Array[] = []
  let length = 0
  reply.hurry(errorBodyIdleMs)
  try {
    await reply.read((bytes) => {
      pieces.push(bytes)
      length += bytes.length
      return length >= errorBodyBytes
    })
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof LlmError)) throw error
  }
  return new TextDecoder().decode(Buffer.concat(pieces).subarray(0, errorBodyBytes))
}

/** A small JSON answer of a known shape: lists, versions, details. `protocol` where it is something else. */
export function askJson<T>(through: Exchange, ask: Omit<Ask, 'accept'>, shape: z.ZodType<T>): Promise<T> {
  return onOwnSocket(ask.signal, (signal) => readJson(through, { ...ask, signal }, shape))
}

async function readJson<T>(through: Exchange, ask: Omit<Ask, 'accept'>, shape: z.ZodType<T>): Promise<T> {
  const reply = await exchange(through, { ...ask, accept: 'application/json' })
  const { origin } = through.transport.address
  const facts = { backend: through.backend }
  if (/html|xml|event-stream/.test(reply.contentType)) throw wrongContentType(through, reply)
  const pieces: Uint8Array[] = []
  let length = 0
  await reply.read((bytes) => {
    length += bytes.length
    if (length > listBytes) {
      throw new LlmError('protocol', {
        ...facts,
        fault: 'line-too-long',
        message: `${ask.path} of ${origin} is too long.`,
      })
    }
    pieces.push(bytes)
  })
  const parsed = shape.safeParse(parseJson(new TextDecoder().decode(Buffer.concat(pieces))))
  if (parsed.success) return parsed.data
  const message = `${origin} answered ${ask.path} in an unknown form: check baseUrl and apiType.`
  throw new LlmError('protocol', { ...facts, fault: 'bad-record', message })
}

/** 200, but something else than the API: a proxy's page, a website. */
export function wrongContentType({ transport, backend }: Exchange, reply: HttpReply): LlmError {
  const type = reply.contentType.slice(0, 60)
  const message = `${transport.address.origin} answered with ${type} where ${backend} was expected: check baseUrl.`
  return new LlmError('protocol', { backend, fault: 'content-type', status: reply.status, message })
}

/** A record of the stream that is not what the dialect says. It is not quoted: it may hold what was said. */
export function badRecord({ transport, backend }: Exchange, what = 'a record that is not JSON'): LlmError {
  return new LlmError('protocol', {
    backend,
    fault: 'bad-record',
    message: `${transport.address.origin} sent ${what}.`,
  })
}

/** The stream is over and its end record never came. */
export function noEnd({ transport, backend }: Exchange): LlmError {
  const message = `${transport.address.origin} ended the reply without its end record.`
  return new LlmError('protocol', { backend, fault: 'no-end', message })
}
