import { describe, expect, test } from 'vitest'
import { openBackend } from '../../src/backends/open-backend.ts'
import type { LoopbackReply } from '../../src/testing/loopback-server.ts'
import { ask, askServer, closeServersAfterEach, dialects, facts, hello, serverFor } from './ask.ts'

closeServersAfterEach()

describe.each(dialects)('%s', (dialect) => {
  const moments: [string, LoopbackReply][] = [
    ['before the headers', { fault: { kind: 'silent' } }],
    ['before the first byte of the body', { hold: 0 }],
    ['in mid-stream', { text: 'one two three', hold: 1 }],
    ['while nothing but keep-alive comes', { fault: { kind: 'keep-alive' } }],
  ]
  test.each(moments)('an abort %s closes the socket, and the reason is told', async (_, reply) => {
    const server = await serverFor({ replies: [reply, { text: 'Next.' }] })
    const leaving = new AbortController()
    const reason = new Error('barge-in')
    const asked = askServer(dialect, server.url, hello, leaving.signal)
    await server.requested(0)
    leaving.abort(reason)
    const { error } = await asked
    expect(error).toBe(reason)
    expect((await server.closed(0)).closedEarly).toBe(true)
    expect((await askServer(dialect, server.url)).text).toBe('Next.')
  })

  test('an abort on a delta: nothing is reported after it', async () => {
    const server = await serverFor({ replies: [{ text: 'one two three four five' }] })
    const leaving = new AbortController()
    const heard: string[] = []
    const backend = openBackend(dialect, { baseUrl: server.url })
    const done = backend.stream(
      hello,
      (record) => {
        if (record.type !== 'delta') return
        heard.push(record.text)
        if (heard.length === 2) leaving.abort(new Error('enough'))
      },
      leaving.signal,
    )
    await expect(done).rejects.toThrow('enough')
    await server.closed(0)
    expect(heard).toEqual(['one', ' two'])
  })

  test('a signal that has aborted already sends nothing', async () => {
    const server = await serverFor()
    const { error } = await askServer(dialect, server.url, hello, AbortSignal.abort(new Error('gone')))
    expect(String(error)).toBe('Error: gone')
    expect(server.seen).toEqual([])
  })

  test('an abort ends its own request and no other', async () => {
    const server = await serverFor({ replies: [{ text: 'one two', hold: 1 }] })
    const backend = openBackend(dialect, { baseUrl: server.url })
    const leaving = new AbortController()
    const first = ask(backend, hello, leaving.signal)
    const second = ask(backend)
    await Promise.all([server.requested(0), server.requested(1)])
    leaving.abort(new Error('barge-in'))
    await first
    server.release(0)
    server.release(1)
    expect((await second).text).toBe('one two')
  })

  test.each(['connected', 'headers', 'delta'])(
    'a reader that throws at %s closes the socket, and its error comes out',
    async (at) => {
      const server = await serverFor({ replies: [{ text: 'one two', hold: 1 }] })
      const backend = openBackend(dialect, { baseUrl: server.url })
      const mistake = new Error('mistake')
      const done = backend.stream(
        hello,
        ({ type }) => {
          if (type === at) throw mistake
        },
        new AbortController().signal,
      )
      await expect(done).rejects.toBe(mistake)
      await expect.poll(() => server.openSockets).toBe(0)
    },
  )

  test('a web page without end is left at once', async () => {
    const server = await serverFor({ replies: [{ contentType: 'text/html', fault: { kind: 'keep-alive' } }] })
    expect(facts((await askServer(dialect, server.url)).error)).toMatchObject({ fault: 'content-type' })
    await server.closed(0)
  })
})
