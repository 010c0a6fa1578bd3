import type { IncomingMessage } from 'node:http'
import type { Guard } from './guard.ts'
import type { Refusal } from './refusal.ts'

/** A request that the guard has let in. */
export interface Asked {
  request: IncomingMessage
  method: string
  /** Without its query, as it was sent: percent signs included. Begins with a slash. */
  path: string
}

export type AskedOrRefused = { asked: Asked; refusal?: undefined } | { asked?: undefined; refusal: Refusal }

/** Where every request and every upgrade is read. The guard comes first: a stranger's target is not looked at. */
export function readAsked(request: IncomingMessage, guard: Guard): AskedOrRefused {
  const stranger = guard.stranger(request)
  if (stranger !== undefined) return { refusal: stranger }
  const path = pathOf(request.url)
  if (path === undefined) return { refusal: oddTarget }
  // Node reads on where it knows a version or an encoding of no use to anybody.
  if (!/^1\.[01]$/u.test(request.httpVersion)) return { refusal: oddVersion }
  if (!/^chunked$/iu.test(request.headers['transfer-encoding'] ?? 'chunked')) return { refusal: oddEncoding }
  return { asked: { request, method: request.method ?? 'GET', path } }
}

/**
 * The path of a target in origin-form (RFC 9112, 3.2.1): visible ASCII without # and backslash. No URL is made of it, as
 * `//` and `http://[` are targets that somebody sends and that no URL can be made of.
 */
function pathOf(target: string | undefined): string | undefined {
  return /^(\/["!$->@-[\]-~]*)(?:\?["!$-[\]-~]*)?$/u.exec(target ?? '')?.[1]
}

const oddTarget: Refusal = {
  status: 400,
  code: 'bad-input',
  message: 'the target must be a path with visible ASCII characters; docs/protocol.md lists the paths',
}
const oddVersion: Refusal = { status: 400, code: 'bad-input', message: 'send HTTP/1.1' }
const oddEncoding: Refusal = { status: 400, code: 'bad-input', message: 'send a body in chunks, or with its length' }
