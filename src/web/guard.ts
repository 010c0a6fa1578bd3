import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { Refusal } from './refusal.ts'

/** Looks at a request before anything else of it is read. */
export interface Guard {
  /** A page of another site, or another name for this machine (DNS rebinding), is refused. */
  stranger(request: IncomingMessage): Refusal | undefined
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
    stranger(request) {
      const { headers } = request
      const name = hostName(headers.host)
      if (isRepeated(request)) return repeated
      if (name === undefined) return forbidden(unnamed)
      if (token === undefined && !names.has(name) && isIP(name) === 0)
        return forbidden('this name is not served; use the address that colloquy start printed')
      const isFromElsewhere = headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate'
      if (isFromElsewhere || !isOwnOrigin(headers.origin, headers.host)) return forbidden(ofAnotherSite)
      return undefined
    },
    token(given) {
      if (token === undefined || (given !== undefined && isSame(given, token))) return undefined
      const message =
        given === undefined
          ? 'a bearer token is demanded; send Authorization: Bearer TOKEN, or open the address that colloquy start printed'
          : 'the token is wrong; use the one that colloquy start was given with --token'
      return { status: 401, code: 'auth', message }
    },
  }
}

/** For a page that this machine alone may see: it goes by no name but those of loopback, at its own port. */
export function createLoopbackGuard(port: () => number): Guard {
  const isOurs = (host: string | undefined) =>
    host !== undefined && loopbackNames.some((name) => host === `${name}:${port()}` || (port() === 80 && host === name))
  return {
    demandsToken: false,
    stranger(request) {
      const { host, origin, upgrade } = request.headers
      if (isRepeated(request)) return repeated
      if (!isOurs(host)) return forbidden(unnamed)
      const isFromElsewhere = origin !== undefined && !(origin.startsWith('http://') && isOurs(origin.slice(7)))
      // A WebSocket is for our own page, and pages always say where they came from.
      if (isFromElsewhere || (upgrade !== undefined && origin === undefined)) return forbidden(ofAnotherSite)
      return undefined
    },
    token: () => undefined,
  }
}

/** From `Authorization: Bearer …`. */
export function bearerOf({ headers }: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/iu.exec(headers.authorization ?? '')?.[1]
}

const loopbackNames = ['127.0.0.1', '[::1]', 'localhost'] as const
const unnamed = 'the request does not name this server as its host; use the address that was printed'
const ofAnotherSite = 'pages of other sites may not talk to this server'

const repeated: Refusal = {
  status: 400,
  code: 'bad-input',
  message: 'Host, Origin and Authorization may stand in a request once each',
}

function forbidden(message: string): Refusal {
  return { status: 403, code: 'auth', message }
}

/** Of what is said twice, another reader might believe the other one. */
function isRepeated({ headersDistinct }: IncomingMessage): boolean {
  return ['host', 'origin', 'authorization'].some((name) => (headersDistinct[name]?.length ?? 0) > 1)
}

/** The name in a Host header: an IPv6 address in brackets, or what names and IPv4 addresses are made of. */
function hostName(host: string | undefined): string | undefined {
  const [, address, name] = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::\d{1,5})?$/iu.exec(host ?? '') ?? []
  return (address ?? name)?.toLowerCase()
}

function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true
  return [`http://${host}`, `https://${host}`].some((own) => own.toLowerCase() === origin.toLowerCase())
}

/** Takes the same time whatever is wrong. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
