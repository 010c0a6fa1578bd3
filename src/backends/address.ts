import { LlmError } from './contract.ts'

/** Where a server is: its failure domain, and the path in front of every route. */
export interface Address {
  /** Scheme, host and port, as it may be shown. */
  origin: string
  secure: boolean
  hostname: string
  port: number
  /** '' or '/prefix', never with a slash at its end. */
  basePath: string
}

// https://fetch.spec.whatwg.org/#port-blocking: no model is served there, and a request could speak to something else
const blockedPorts: ReadonlySet<number> = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
  6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
])

const refuse = (message: string) => new LlmError('config', { message, fault: 'address' })

/** Reads a base URL. Throws `config` for what can never work: another scheme, a blocked port, credentials inside. */
export function parseAddress(baseUrl: string): Address {
  if (!URL.canParse(baseUrl)) throw refuse('baseUrl is no address: write it like http://127.0.0.1:11434')
  const url = new URL(baseUrl)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw refuse(`baseUrl has the scheme ${url.protocol} but must begin with http:// or https://`)
  }
  if (url.username !== '' || url.password !== '') {
    throw refuse('baseUrl must not hold a user name or password: use the apiKey setting')
  }
  const secure = url.protocol === 'https:'
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  if (blockedPorts.has(port)) {
    throw refuse(`port ${port} of baseUrl is reserved for another protocol: serve the model on another port`)
  }
  return {
    origin: url.origin,
    secure,
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    basePath: url.pathname.replace(/(?<!\/)\/+$/, ''),
  }
}

/** The path in front of `/api/…` or `/v1/…`, whichever of the two the configured address ends in already. */
export const rootPath = (basePath: string): string => basePath.replace(/\/(?:api|v1)$/, '')
