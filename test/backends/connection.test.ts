import { describe, expect, test } from 'vitest'
import { createBackendConnection, type BackendConnectionOptions } from '../../src/connecting/backend-connection.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { refusedUrl, socketServer, type LoopbackServes } from '../../src/testing/loopback-server.ts'
import { ask, closeServersAfterEach, facts, serverFor } from './ask.ts'
import { handClock } from '../support/hand-clock.ts'

closeServersAfterEach()

const never = () => new AbortController().signal

function connectionTo(baseUrl: string, more: Partial<BackendConnectionOptions> = {}) {
  return createBackendConnection({
    baseUrl,
    apiType: 'auto',
    limits: { lineBytes: 1_048_576 },
    clock: systemClock,
    timeouts: { connectMs: 2_000 },
    ...more,
  })
}

describe('auto', () => {
  const servers: [LoopbackServes, string][] = [
    ['ollama', 'ollama-chat'],
    ['ollama-generate-only', 'ollama-generate'],
    ['openai', 'openai'],
    ['llama.cpp', 'openai'],
    ['vllm', 'openai'],
    ['lm-studio', 'openai'],
    ['localai', 'ollama-chat'],
  ]
  test.each(servers)('%s speaks %s', async (serves, dialect) => {
    const server = await serverFor({ serves })
    const backend = await connectionTo(server.url).connect(never())
    expect(backend.name).toBe(dialect)
    expect(server.seen.every((line) => line.startsWith('GET '))).toBe(true)
    expect(new Set(server.seen).size).toBe(server.seen.length)
    expect((await ask(backend)).text).toBe('Hello.')
  })

  test.each(['website', 'nothing'] as const)(
    '%s is not recognized, and the message says what was seen',
    async (serves) => {
      const server = await serverFor({ serves })
      const error: unknown = await connectionTo(server.url)
        .connect(never())
        .catch((reason: unknown) => reason)
      expect(facts(error)).toEqual({ code: 'protocol', fault: 'unrecognized' })
      expect(String(error)).toContain('GET /api/tags')
    },
  )

  test.each(['ollama', 'vllm'] as const)(
    '%s behind a key: the first 401 is the last look, and names the setting',
    async (serves) => {
      const server = await serverFor({ serves, apiKey: 'sesame' })
      const error: unknown = await connectionTo(server.url)
        .connect(never())
        .catch((reason: unknown) => reason)
      expect(facts(error)).toMatchObject({ code: 'auth', fault: 'unauthorized' })
      expect(String(error)).toContain('apiKey')
      expect(server.seen).toHaveLength(1)
      const backend = await connectionTo(server.url, { apiKey: 'sesame' }).connect(never())
      expect((await ask(backend)).text).toBe('Hello.')
    },
  )

  test('all who ask at once share one detection, and its result is remembered', async () => {
    const server = await serverFor()
    const connection = connectionTo(server.url)
    const [one, two] = await Promise.all([connection.connect(never()), connection.connect(never())])
    expect(one).toBe(two)
    const looks = server.seen.length
    expect(await connection.connect(never())).toBe(one)
    expect(server.seen).toHaveLength(looks)
  })

  test('one who leaves does not end the detection of the others; the last one does', async () => {
    const server = await socketServer(() => {})
    const connection = connectionTo(server.url)
    const first = new AbortController()
    const second = new AbortController()
    const one = connection.connect(first.signal)
    const two = connection.connect(second.signal)
    first.abort(new Error('first left'))
    await expect(one).rejects.toThrow('first left')
    second.abort(new Error('second left'))
    await expect(two).rejects.toThrow('second left')
    await server.close()
  })

  test('a server that is not there yet is looked at again at the next use', async () => {
    const gone = await serverFor()
    await gone.close()
    const connection = connectionTo(gone.url)
    expect(await connection.info(never())).toMatchObject({ reachable: false, error: { code: 'connection' } })
    const refused: unknown = await connection.connect(never()).catch((reason: unknown) => reason)
    expect(facts(refused)).toEqual({ code: 'connection', fault: 'refused', origin: true })
  })

  test('a server that takes the connection and says nothing is left after connectMs', async () => {
    let taken = () => {}
    const connected = new Promise<void>((resolve) => (taken = resolve))
    const server = await socketServer(() => taken())
    const clock = handClock()
    const asked = connectionTo(server.url, { clock }).connect(never())
    await connected
    clock.advance(2_000)
    expect(facts(await asked.catch((reason: unknown) => reason))).toEqual({
      code: 'timeout',
      fault: 'connect-timeout',
      origin: true,
    })
    expect(clock.pending()).toBe(0)
    await server.close()
  })

  test('after a 404 on its path another dialect is tried first', async () => {
    const server = await serverFor()
    const connection = connectionTo(server.url)
    expect((await connection.connect(never())).name).toBe('ollama-chat')
    connection.forget()
    expect((await connection.connect(never())).name).toBe('ollama-generate')
  })
})

describe('a configured apiType', () => {
  test('is taken at its word: nothing is asked', async () => {
    const server = await serverFor()
    expect((await connectionTo(server.url, { apiType: 'openai' }).connect(never())).name).toBe('openai')
    expect(server.seen).toEqual([])
  })
})

describe('a look', () => {
  test('tells dialect, version and models', async () => {
    const server = await serverFor({ models: ['m1', { name: 'm2', loaded: false }], version: '0.33.1' })
    const connection = connectionTo(server.url)
    expect(await connection.info(never())).toMatchObject({
      reachable: true,
      backend: 'ollama-chat',
      origin: server.url,
      version: '0.33.1',
      models: [
        { name: 'm1', loaded: true },
        { name: 'm2', loaded: false },
      ],
    })
    expect(await connection.check()).toMatchObject({ reachable: true, apiType: 'ollama-chat', version: '0.33.1' })
  })

  test('a refused one is told, not thrown', async () => {
    expect(await connectionTo(await refusedUrl()).check()).toMatchObject({
      reachable: false,
      error: { code: 'connection' },
    })
  })

  test('an address that can never work is refused at once', () => {
    expect(() => connectionTo('http://127.0.0.1:6666')).toThrow('6666')
    expect(() => connectionTo('http://me:secret@127.0.0.1')).toThrow('apiKey')
  })
})
