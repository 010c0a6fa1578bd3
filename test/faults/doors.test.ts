import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { doors, handshake, type ServedDoor } from '../support/doors.ts'
import { statusOf } from '../support/raw-exchange.ts'

const targets = [
  '//',
  '///',
  '//evil.example/ws',
  '/\\',
  '\\',
  '/\\\\evil.example',
  'http://[',
  'http://[::1',
  'http://',
  'http:',
  'http://evil.example/',
  'ws://127.0.0.1/ws',
  'javascript:alert(1)',
  'evil.example:443',
  '*',
  '',
  '?',
  '#',
  '/#',
  '/ws#',
  '/%',
  '/%zz',
  '/%ff',
  '/%00',
  '/..',
  '/../../etc/passwd',
  '/..%2f..%2fpackage.json',
  '/.%2e/package.json',
  '/\u0000',
  '/\u007f',
  '/\u00e9',
  '/a b',
  '/ws/',
  '/live/',
  '/__proto__',
  '/conversations//history',
  '/conversations/%ff/history',
  '/conversations/%00/ask',
  '/conversations/__proto__/history',
  `/${'a'.repeat(20_000)}`,
  `/${'../'.repeat(3_000)}`,
]

const methods = ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'PRI', 'M-SEARCH', 'BREW', 'get', '']

const versions = ['HTTP/0.9', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/11', 'http/1.1', 'HTTPS/1.1', '']

/** What may stand in the place of Host and Origin. */
const hosts = (port: number): (string | null)[] => [
  null,
  'Host:',
  'Host: ',
  'Host: evil.example',
  `Host: evil.example:${port}`,
  'Host: [',
  'Host: //',
  `Host: x@127.0.0.1:${port}`,
  `Host: 127.0.0.1:${port}/`,
  `Host: 127.0.0.1:${port}\r\nHost: evil.example`,
  `Host: 127.0.0.1:99999999`,
  `Host: 127.0.0.1:${port}\u0001`,
  `Host: 127.0.0.1:${port}; script-src *`,
  ` Host: 127.0.0.1:${port}`,
]
const origins = (own: string): (string | null)[] => [
  'Origin:',
  'Origin: null',
  'Origin: https://evil.example',
  'Origin: http://[',
  'Origin: //',
  `Origin: ${own}.evil.example`,
  `Origin: ${own}@evil.example`,
  `Origin: ${own}\r\nOrigin: https://evil.example`,
  `Origin: https://evil.example\r\nOrigin: ${own}`,
  `Origin: ${own}, https://evil.example`,
  // Node forgets what is over its count of headers.
  `${'a:1\r\n'.repeat(2_200)}Origin: https://evil.example`,
]
const oddHeaders = [
  'no colon',
  ': no name',
  'na me: x',
  `x: ${'x'.repeat(20_000)}`,
  'x: \u0000',
  'content-length: -1',
  'content-length: 1\r\ncontent-length: 2',
  'content-length: 5\r\ntransfer-encoding: chunked',
  'transfer-encoding: gzip',
  'expect: a miracle',
]

/** What makes an upgrade none of ours, by the line that it replaces. */
const upgrades: Record<string, string | null>[] = [
  { upgrade: 'Upgrade: h2c' },
  { upgrade: 'Upgrade: websocket, h2c' },
  { upgrade: 'Upgrade:' },
  { upgrade: 'Upgrade: //' },
  { key: null },
  { key: 'Sec-WebSocket-Key: short' },
  { key: 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' },
  { version: null },
  { version: 'Sec-WebSocket-Version: 99' },
  { version: 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13' },
  { extra: 'Sec-WebSocket-Protocol: ,,' },
  { extra: 'Sec-WebSocket-Protocol: a, a' },
]

const warnings: Error[] = []
const warn = (warning: Error) => warnings.push(warning)
let door: ServedDoor

describe.each(Object.entries(doors))('the door of %s', { timeout: 60_000 }, (_, open) => {
  beforeEach(async () => {
    process.on('warning', warn)
    door = await open()
  })
  afterEach(async () => {
    await door.close()
    process.off('warning', warn)
    // Nothing had to be caught: a refusal is no mistake.
    expect(warnings.splice(0)).toEqual([])
  })

  /** All of them at once, by the fifty: each is refused or cut, and afterwards a proper client is served. */
  async function refused(requests: readonly string[]): Promise<void> {
    for (let at = 0; at < requests.length; at += 50) {
      const some = requests.slice(at, at + 50)
      const statuses = await Promise.all(some.map((request) => statusOf(door.port, request)))
      for (const [index, status] of statuses.entries())
        if (status !== 0 && (status < 400 || status > 499)) expect.fail(`${status} to ${some[index]?.slice(0, 400)}`)
    }
    await door.serves()
  }

  const host = () => `Host: 127.0.0.1:${door.port}`
  const visit = (start: string, ...lines: (string | null)[]) =>
    `${[start, ...lines.filter((line) => line !== null)].join('\r\n')}\r\n\r\n`

  test('row 80: odd targets are refused, by any method and as an upgrade', async () => {
    await refused(
      targets.flatMap((target) => [
        ...['GET', 'HEAD', ...methods].map((method) => visit(`${method} ${target} HTTP/1.1`, host())),
        handshake(door, { start: `GET ${target} HTTP/1.1` }),
        handshake(door, { start: `POST ${target} HTTP/1.1` }),
        handshake(door, { start: `GET ${target} HTTP/1.1`, upgrade: 'Upgrade: h2c' }),
        handshake(door, { start: `GET ${target} HTTP/1.1`, host: 'Host: evil.example' }),
        handshake(door, { start: `GET ${target} HTTP/1.1`, origin: 'Origin: https://evil.example' }),
      ]),
    )
  })

  test('row 80: odd methods and versions are refused', async () => {
    await refused([
      ...methods.flatMap((method) => [
        visit(`${method} ${door.page} HTTP/1.1`, host()),
        handshake(door, { start: `${method} ${door.live} HTTP/1.1` }),
      ]),
      ...versions
        .filter((version) => version !== 'HTTP/1.0')
        .flatMap((version) => visit(`GET ${door.page} ${version}`, host())),
      ...versions.map((version) => handshake(door, { start: `GET ${door.live} ${version}` })),
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003\r\n\r\n',
    ])
  })

  test('row 80: odd hosts, origins and headers are refused, whatever is asked for', async () => {
    const start = [`GET ${door.page} HTTP/1.1`, `HEAD ${door.page} HTTP/1.1`, 'GET // HTTP/1.1', 'POST * HTTP/1.1']
    await refused([
      ...hosts(door.port).flatMap((odd) => [
        ...start.map((line) => visit(line, odd)),
        handshake(door, { host: odd }),
        handshake(door, { host: odd, start: 'GET // HTTP/1.1' }),
      ]),
      ...origins(door.origin).flatMap((odd) => [
        ...start.map((line) => visit(line, host(), odd)),
        handshake(door, { origin: odd }),
        handshake(door, { origin: odd, upgrade: 'Upgrade: h2c' }),
      ]),
      ...oddHeaders.flatMap((odd) => [visit(start[0] ?? '', host(), odd), visit('GET // HTTP/1.1', host(), odd)]),
    ])
  })

  test('row 80: odd upgrades are refused, by any method', async () => {
    await refused(
      upgrades.flatMap((odd) =>
        ['GET', 'POST'].map((method) => handshake(door, { start: `${method} ${door.live} HTTP/1.1`, ...odd })),
      ),
    )
  })

  test('row 80: any combination of them with an odd target is refused', async () => {
    const odd = <T>(usual: T, ...others: readonly T[]) =>
      fc.oneof({ weight: 1, arbitrary: fc.constant(usual) }, { weight: 2, arbitrary: fc.constantFrom(...others) })
    const combination = fc.record({
      target: fc.constantFrom(...targets),
      method: odd('GET', ...methods),
      version: odd('HTTP/1.1', ...versions),
      host: odd<string | null>(host(), ...hosts(door.port)),
      origin: odd<string | null>(null, ...origins(door.origin)),
      header: odd<string | null>(null, ...oddHeaders),
      upgrade: odd<Record<string, string | null> | null>(null, {}, ...upgrades),
    })
    await fc.assert(
      fc.asyncProperty(combination, async ({ target, method, version, host: name, origin, header, upgrade }) => {
        const start = `${method} ${target} ${version}`
        const request =
          upgrade === null
            ? visit(start, name, origin, header)
            : handshake(door, { start, host: name, origin, ...upgrade, header })
        const status = await statusOf(door.port, request)
        expect(status === 0 || (status >= 400 && status <= 499), `${status}`).toBe(true)
      }),
      { numRuns: 150 },
    )
    await door.serves()
  })

  test('row 80: random bytes as the head of a request are refused', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc
        .string({
          unit: fc.constantFrom('GET ', '/', ' HTTP/1.1', '\r\n', ':', 'Host', 'Upgrade', '%', '\u0000', '\u00ff', 'a'),
          maxLength: 40,
        })
        .map((text) => Buffer.from(text, 'latin1')),
    )
    await fc.assert(
      fc.asyncProperty(bytes, async (random) => {
        const status = await statusOf(door.port, Buffer.concat([random, Buffer.from('\r\n\r\n')]), { isAll: true })
        expect(status === 0 || (status >= 400 && status <= 499), `${status}`).toBe(true)
      }),
      { numRuns: 150 },
    )
    await door.serves()
  })
})
