import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { openBackend } from '../../src/backends/open-backend.ts'
import { refusedUrl, socketServer, type LoopbackFault } from '../../src/testing/loopback-server.ts'
import { ask, closeServersAfterEach, dialects, hello, serverFor } from './ask.ts'

closeServersAfterEach()

const key = 'sk-Planted+Key/42'

/** Everything of an error that could be printed, logged or serialized. */
const allOf = (error: unknown) => `${inspect(error, { depth: 20, showHidden: true })} ${JSON.stringify(error)}`

const echoes: LoopbackFault[] = [
  { kind: 'http', status: 401, body: { error: { message: `Incorrect API key provided: ${key}` } } },
  { kind: 'http', status: 500, body: `authorization: Bearer ${key} ${Buffer.from(key).toString('base64')}` },
  { kind: 'http', status: 400, body: { error: encodeURIComponent(key) } },
  { kind: 'redirect', to: `http://127.0.0.1:9/login/${key}?key=${key}` },
  { kind: 'error-record', message: `bad key ${key}` },
]

describe.each(dialects)('%s', (dialect) => {
  test.each(echoes)('a key that the server repeats is nowhere in the error: $kind $status', async (fault) => {
    const server = await serverFor({ replies: [{ fault }] })
    const { error } = await ask(openBackend(dialect, { baseUrl: server.url, apiKey: key }))
    expect(error).toBeInstanceOf(Error)
    for (const form of [key, encodeURIComponent(key), Buffer.from(key).toString('base64')]) {
      expect(allOf(error)).not.toContain(form)
    }
  })

  test('what was said is nowhere in the error, not even in the raw bytes that Node keeps', async () => {
    const server = await socketServer((socket) => {
      socket.on('data', () => socket.end('HTTP/1.1 what hello there, machine\r\n\r\n'))
    })
    const { error } = await ask(openBackend(dialect, { baseUrl: server.url }), hello)
    expect(allOf(error)).not.toContain('hello there')
    expect(allOf(error)).not.toContain('rawPacket')
    await server.close()
  })

  test('a refused connection names no key', async () => {
    const { error } = await ask(openBackend(dialect, { baseUrl: await refusedUrl(), apiKey: key }))
    expect(allOf(error)).not.toContain(key)
  })
})

test('a key that no header may hold is a config error that does not repeat it', () => {
  expect(() => openBackend('openai', { baseUrl: 'http://127.0.0.1:1234', apiKey: 'two\nlines' })).toThrow(/apiKey/)
})
