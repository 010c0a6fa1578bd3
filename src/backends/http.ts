import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setImmediate } from 'node:timers'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { parseAddress, type Address } from './address.ts'
import { LlmError } from './contract.ts'
import { firstAttemptMs, longerAttempt } from './connect-attempts.ts'
import { failureBeforeHeaders, failureInBody, type Progress } from './transport-faults.ts'

export interface TransportOptions {
  baseUrl: string
  apiKey?: string
  /** Shown in errors: which dialect was spoken. */
  backend: string
}

export interface HttpRequest {
  method: 'GET' | 'POST'
  /** From the root of the origin, with its leading slash. */
  path: string
  /** Sent as JSON, byte for byte. */
  body?: string
  accept: string
  signal: AbortSignal
  onConnected?(): void
}

export interface HttpReply {
  readonly status: number
  header(name: string): string | undefined
  /** Lower case, without parameters; '' where the server named none. */
  readonly contentType: string
  /**
   * Hands on the decoded body as it comes, and takes it from the socket at once whatever becomes of it. Resolves at the
   * body's clean end, or when `onBytes` returns true: nothing more is wanted then, and the socket is let go. What
   * `onBytes` throws closes the socket and rejects.
   */
  read(onBytes: (bytes: Uint8Array) => boolean | void): Promise<void>
  /** The body is of little interest: a silence of this many milliseconds in it closes the socket. */
  hurry(idleMs: number): void
}

/** One server over node:http(s): typed faults, no redirect followed, no time-out of its own. */
export interface Transport {
  readonly address: Address
  readonly secrets: readonly string[]
  /** Resolves with the headers, whatever the status. An abort closes the socket at once and rejects with the reason. */
  open(request: HttpRequest): Promise<HttpReply>
}

// how long a server that has said its last record may take to end the response before we hang up
const lingerMs = 50

export function createTransport({ baseUrl, apiKey, backend }: TransportOptions): Transport {
  const address = parseAddress(baseUrl)
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new LlmError('config', {
      backend,
      fault: 'api-key',
      message: 'apiKey holds characters no HTTP header may hold.',
    })
  }
  const secrets = apiKey === undefined ? [] : [apiKey]
  const headersOf = ({ accept, body }: HttpRequest) => ({
    accept,
    // gzip would hold deltas back; what is sent nevertheless is decoded
    'accept-encoding': 'identity',
    'user-agent': 'colloquy',
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  })

  return {
    address,
    secrets,
    open: (request) =>
      new Promise((resolve, reject) => {
        const { signal } = request
        const send = (attemptMs: number) => {
          if (signal.aborted) {
            reject(signal.reason)
            return
          }
          const progress: Progress = { address, backend, secrets, connected: false, secured: !address.secure }
          // a connection of its own for each request: one kept alive may have died unseen, and looks like a reset then
          const options = {
            agent: false,
            host: address.hostname,
            port: address.port,
            method: request.method,
            path: request.path,
            headers: headersOf(request),
            autoSelectFamilyAttemptTimeout: attemptMs,
          } as const
          const sent = (address.secure ? https : http).request(options)
          const failures: unknown[] = []
          const onAbort = () => {
            reject(signal.reason)
            sent.destroy()
          }
          signal.addEventListener('abort', onAbort, { once: true })
          sent.once('close', () => signal.removeEventListener('abort', onAbort))
          const connected = () => {
            try {
              if (!signal.aborted) request.onConnected?.()
            } catch (error) {
              reject(error)
              sent.destroy()
            }
          }
          sent.once('socket', (socket) => {
            socket.setNoDelay(true)
            socket.once('connect', () => {
              progress.connected = true
              if (!address.secure) connected()
            })
            socket.once('secureConnect', () => {
              progress.secured = true
              connected()
            })
          })
          sent.on('error', (error) => {
            const longerMs = longerAttempt(error, attemptMs)
            if (longerMs !== undefined) return send(longerMs)
            failures.push(error)
            reject(failureBeforeHeaders(error, progress))
          })
          sent.once('response', (response) => resolve(replyOf(response, { progress, failures, signal })))
          sent.end(request.body)
        }
        send(firstAttemptMs)
      }),
  }
}

interface Circumstances {
  progress: Progress
  /** What the request itself reported; more telling than what its response says afterwards. */
  failures: readonly unknown[]
  signal: AbortSignal
}

function replyOf(response: IncomingMessage, { progress, failures, signal }: Circumstances): HttpReply {
  let taker: ((bytes: Uint8Array) => void) | undefined
  let early: Uint8Array[] = []
  const ended = new Promise<unknown>((resolve) => {
    const decoder = decoderOf(response)
    const take = (bytes: Uint8Array) => (taker === undefined ? early.push(bytes) : taker(bytes))
    if (decoder === undefined) {
      response.on('data', take)
      response.once('end', () => resolve(undefined))
      response.once('error', resolve)
      response.once('close', () => resolve(response.complete ? undefined : new Error('closed')))
    } else {
      // not stream.pipeline: it calls back before the decoder has checked the end of what it was given
      decoder.on('data', take)
      decoder.once('end', () => resolve(undefined))
      decoder.on('error', resolve)
      response.once('error', resolve)
      response.once('close', () => {
        if (response.complete) return
        resolve(new Error('closed'))
        decoder.destroy()
      })
      response.pipe(decoder)
    }
  })
  return {
    status: response.statusCode ?? 0,
    header: (name) => {
      const value = response.headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    contentType: (response.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
    hurry: (idleMs) => whenSilent(response.socket, idleMs, () => response.destroy()),
    read: (onBytes) =>
      new Promise((resolve, reject) => {
        const onAbort = () => reject(signal.reason)
        if (signal.aborted) return onAbort()
        signal.addEventListener('abort', onAbort, { once: true })
        const leave = () => {
          signal.removeEventListener('abort', onAbort)
          early = []
        }
        taker = (bytes) => {
          if (signal.aborted) return
          try {
            if (onBytes(bytes) !== true) return
            taker = () => undefined
            leave()
            hangUp(response)
            resolve()
          } catch (error) {
            taker = () => undefined
            leave()
            response.destroy()
            reject(error)
          }
        }
        const held = early
        early = []
        for (const bytes of held) taker(bytes)
        void ended.then((error) => {
          leave()
          if (error === undefined) resolve()
          else reject(failureInBody(failures[0] ?? error, progress))
        })
      }),
  }
}

/** Runs after each `ms` without a byte. After a stall of the event loop, bytes may be there that nobody has read yet. */
function whenSilent(socket: Socket, ms: number, run: () => void): void {
  socket.setTimeout(ms)
  socket.on('timeout', () => {
    const { bytesRead } = socket
    setImmediate(() => {
      if (socket.bytesRead === bytesRead) run()
    })
  })
}

/** Lets the server end by itself for a moment, then closes: an end record is the end whatever comes after it. */
function hangUp(response: IncomingMessage): void {
  if (response.complete) return
  response.socket.setTimeout(lingerMs, () => response.destroy())
  // data after the end would keep the socket from ever being idle
  let rest = 0
  response.on('data', (bytes: Uint8Array) => {
    rest += bytes.length
    if (rest > 1_024) response.destroy()
  })
}

function decoderOf(response: IncomingMessage): Duplex | undefined {
  switch (response.headers['content-encoding']?.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    default:
      return undefined
  }
}
