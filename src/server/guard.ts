import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/** Why a request is not served. */
export interface Refusal {
  status: 401 | 403
  message: string
}

export interface Guard {
  /** A page of another site, or another name for this machine (DNS rebinding), is refused. */
  origin(request: IncomingMessage): Refusal | undefined
  /** The bearer token, where one is demanded. */
  token(given: string | undefined): Refusal | undefined
  readonly demandsToken: boolean
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/u.test(host)
}

/**
 * A browser tells where a page came from, and programs tell nothing: what carries an Origin must carry our own.
 * Without a token the Host must be an address or a name that nobody else can point at this machine.
 */
export function createGuard({ host, token }: { host: string; token: string | undefined }): Guard {
  const names = new Set(['localhost', host.toLowerCase()])
  return {
    demandsToken: token !== undefined,
    origin({ headers }) {
      const name = hostName(headers.host)
      if (name === undefined)
        return { status: 403, message: 'the request names no host; use the address that colloquy start printed' }
      if (token === undefined && !names.has(name) && isIP(name) === 0)
        return { status: 403, message: 'this name is not served; use the address that colloquy start printed' }
      const { origin } = headers
      if (origin !== undefined && !isSameHost(origin, headers.host))
        return { status: 403, message: 'pages of other sites may not talk to this server' }
      if (headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate')
        return { status: 403, message: 'pages of other sites may not talk to this server' }
      return undefined
    },
    token(given) {
      if (token === undefined || (given !== undefined && isSame(given, token))) return undefined
      const message =
        given === undefined
          ? 'a bearer token is demanded; send Authorization: Bearer TOKEN, or open the address that colloquy start printed'
          : 'the token is wrong; use the one that colloquy start was given with --token'
      return { status: 401, message }
    },
  }
}

/** From `Authorization: Bearer …`. */
export function bearerOf({ headers }: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/iu.exec(headers.authorization ?? '')?.[1]
}

function hostName(host: string | undefined): string | undefined {
  if (host === undefined || !URL.canParse(`http://${host}`)) return undefined
  return new URL(`http://${host}`).hostname.replace(/^\[|\]$/gu, '').toLowerCase()
}

function isSameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase()
}

/** Takes the same time whatever is wrong. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
