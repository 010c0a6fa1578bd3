import { describe, expect, test } from 'vitest'
import { openBackend } from '../../src/backends/open-backend.ts'
import { LlmError } from '../../src/backends/contract.ts'
import { refusedUrl, type LoopbackFault } from '../../src/testing/loopback-server.ts'
import { askServer, closeServersAfterEach, dialects, facts, hello, serverFor } from './ask.ts'

closeServersAfterEach()

const faults: [string, LoopbackFault, object][] = [
  ['4: reset before headers', { kind: 'reset' }, { code: 'connection', fault: 'reset-before-headers', origin: true }],
  ['5: closed before headers', { kind: 'close' }, { code: 'connection', fault: 'closed-before-headers', origin: true }],
  ['6: not HTTP at all', { kind: 'not-http' }, { code: 'protocol', fault: 'not-http' }],
  ['7: headers too large', { kind: 'huge-headers' }, { code: 'protocol', fault: 'headers-too-large' }],
  [
    '10: redirect',
    { kind: 'redirect', to: 'http://127.0.0.1:9/x?k=1' },
    { code: 'http', fault: 'redirect', status: 307 },
  ],
  ['11: context too long', { kind: 'context-overflow' }, { code: 'context-overflow', fault: 'context', status: 400 }],
  [
    '12: capability',
    { kind: 'http', status: 400, body: { error: '"m1" does not support tools' } },
    { code: 'http', fault: 'capability', status: 400 },
  ],
  ['13: 401', { kind: 'http', status: 401 }, { code: 'auth', fault: 'unauthorized', status: 401, origin: true }],
  ['13: 403', { kind: 'http', status: 403 }, { code: 'auth', fault: 'unauthorized', status: 403, origin: true }],
  ['14: 404 model', { kind: 'model-missing' }, { code: 'model-missing', fault: 'model', status: 404 }],
  ['15: 404 path', { kind: 'path-missing' }, { code: 'http', fault: 'path-missing', status: 404 }],
  ['16: 408', { kind: 'http', status: 408 }, { code: 'overloaded', fault: 'rate-limited', status: 408 }],
  ['16: 429', { kind: 'http', status: 429 }, { code: 'overloaded', fault: 'rate-limited', status: 429 }],
  ['17: 500', { kind: 'http', status: 500 }, { code: 'http', fault: 'status', status: 500 }],
  ['18: 503', { kind: 'http', status: 503 }, { code: 'overloaded', fault: 'busy', status: 503, origin: true }],
  ['19: unreadable body', { kind: 'unreadable-error', status: 500 }, { code: 'http', fault: 'status', status: 500 }],
  [
    '19: huge body',
    { kind: 'huge-error', status: 503 },
    { code: 'overloaded', fault: 'busy', status: 503, origin: true },
  ],
  ['19: HTML body', { kind: 'html-error', status: 502 }, { code: 'http', fault: 'status', status: 502 }],
  ['20: chunked end without end record', { kind: 'no-end', afterDeltas: 2 }, { code: 'protocol', fault: 'no-end' }],
  ['21: closed without end record', { kind: 'close-body', afterDeltas: 2 }, { code: 'connection', fault: 'cut' }],
  ['22: truncated gzip', { kind: 'truncated-gzip' }, { code: 'protocol', fault: 'cut' }],
  ['23: corrupt gzip', { kind: 'corrupt-gzip' }, { code: 'protocol', fault: 'bad-encoding' }],
  ['24: error record', { kind: 'error-record', afterDeltas: 1 }, { code: 'http', fault: 'error-record', status: 200 }],
  ['25: 200 with HTML', { kind: 'html' }, { code: 'protocol', fault: 'content-type', status: 200 }],
  ['26: reset in mid-body', { kind: 'cut', afterDeltas: 2 }, { code: 'connection', fault: 'cut' }],
  ['27: bad chunk size', { kind: 'bad-chunk', afterDeltas: 2 }, { code: 'protocol', fault: 'bad-chunk' }],
  ['28: a line that is not JSON', { kind: 'bad-line', afterDeltas: 1 }, { code: 'protocol', fault: 'bad-record' }],
  ['31: a line over the limit', { kind: 'long-line', afterDeltas: 1 }, { code: 'protocol', fault: 'line-too-long' }],
]

describe.each(dialects)('%s', (dialect) => {
  test.each(faults)('%s', async (_, fault, expected) => {
    const server = await serverFor({ replies: [{ text: 'one two three', fault }, { text: 'Fine.' }] })
    const { error, records } = await askServer(dialect, server.url)
    expect(facts(error)).toEqual(expected)
    const before = 'afterDeltas' in fault ? (fault.afterDeltas ?? 0) : 0
    // a reset may overtake what was sent before it; nothing that was not sent is ever told
    const deltas = records.flatMap((record) => (record.type === 'delta' ? [record.text] : []))
    expect(['one', ' two', ' three'].slice(0, Math.max(before, deltas.length))).toEqual(expect.arrayContaining(deltas))
    await server.closed(0)
    expect((await askServer(dialect, server.url)).text).toBe('Fine.')
  })

  test('1: refused', async () => {
    const { error } = await askServer(dialect, await refusedUrl())
    expect(facts(error)).toEqual({ code: 'connection', fault: 'refused', origin: true })
  })

  test('2: a name that is not found is named', async () => {
    const { error } = await askServer(dialect, 'http://no-such-host.invalid:11434')
    expect(facts(error)).toEqual({ code: 'config', fault: 'name-not-found' })
    expect(String(error)).toContain('no-such-host.invalid')
  })

  test.each([1, 25, 6666])('9: port %i is refused before anything is sent', (port) => {
    expect(() => openBackend(dialect, { baseUrl: `http://127.0.0.1:${port}` })).toThrow(LlmError)
    expect(() => openBackend(dialect, { baseUrl: 'ftp://127.0.0.1' })).toThrow('http://')
  })

  test('16: Retry-After is told in milliseconds, seconds or date', async () => {
    const date = 'Mon, 01 Jan 2029 00:00:05 GMT'
    const at = { date: 'Mon, 01 Jan 2029 00:00:00 GMT' }
    const server = await serverFor({
      replies: [
        { fault: { kind: 'http', status: 429, headers: { 'retry-after': '2' } } },
        { fault: { kind: 'http', status: 429, headers: { 'retry-after': date, ...at } } },
      ],
    })
    expect((await askServer(dialect, server.url)).error).toMatchObject({ retryAfterMs: 2_000 })
    expect((await askServer(dialect, server.url)).error).toMatchObject({ retryAfterMs: 5_000 })
  })

  test('a redirect says where to, without its query', async () => {
    const server = await serverFor({ replies: [{ fault: { kind: 'redirect', to: '/elsewhere?token=abc' } }] })
    const { error } = await askServer(dialect, server.url)
    expect(String(error)).toContain(`${server.url}/elsewhere`)
    expect(String(error)).not.toContain('abc')
  })

  test('deltas before a fault arrive before it', async () => {
    const server = await serverFor({
      replies: [{ text: 'one two three', fault: { kind: 'error-record', afterDeltas: 2 } }],
    })
    expect((await askServer(dialect, server.url)).text).toBe('one two')
  })

  test('an error that repeats the caller is not quoted', async () => {
    const body = { error: 'bad prompt: HELLO there,\n machine' }
    const server = await serverFor({ replies: [{ fault: { kind: 'http', status: 400, body } }] })
    const { error } = await askServer(dialect, server.url, hello)
    expect(String(error).toLowerCase()).not.toContain('hello')
  })

  test('what a server says of its failure is quoted, but not where functions are offered: it may show a call', async () => {
    const tools = [{ name: 'light', description: 'Switches the light.', parameters: {} }]
    const fault = { kind: 'http', status: 500, body: { error: 'out of memory' } } as const
    const server = await serverFor({ replies: [{ fault }] })
    expect(String((await askServer(dialect, server.url, hello)).error)).toContain('out of memory')
    const { error } = await askServer(dialect, server.url, { ...hello, tools })
    expect(error).toMatchObject({ code: 'http', status: 500 })
    expect(String(error)).not.toContain('out of memory')
  })

  test('a server that could not read the reply and shows it is not quoted', async () => {
    const body = { error: { code: 500, message: 'Failed to parse input at pos 7: <|channel|>It is in Kamtschatka.' } }
    const server = await serverFor({ replies: [{ fault: { kind: 'http', status: 500, body } }] })
    const { error } = await askServer(dialect, server.url, hello)
    // Nothing was offered to be called: the words were no call.
    expect(error).toMatchObject({ code: 'http', status: 500 })
    expect(String(error)).not.toContain('Kamtschatka')
  })

  test('a server that could not read the request says why', async () => {
    const message = 'Failed to parse messages: Unsupported content part type'
    const server = await serverFor({
      replies: [{ fault: { kind: 'http', status: 400, body: { error: { message } } } }],
    })
    expect(String((await askServer(dialect, server.url, hello)).error)).toContain(message)
    // The calls of earlier turns are messages.
    const tools = [{ name: 'light', description: 'Switches the light.', parameters: {} }]
    expect(String((await askServer(dialect, server.url, { ...hello, tools })).error)).not.toContain(message)
  })

  test('a line over a configured limit ends the attempt', async () => {
    const server = await serverFor({ replies: [{ fault: { kind: 'long-line', bytes: 5_000 } }] })
    const backend = openBackend(dialect, { baseUrl: server.url, lineBytes: 4_096 })
    await expect(backend.stream(hello, () => {}, new AbortController().signal)).rejects.toMatchObject({
      fault: 'line-too-long',
    })
  })
})
