import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer as createTlsServer } from 'node:https'
import dns from 'node:dns'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { parseAddress } from '../../src/backends/address.ts'
import { openSocket } from '../../src/connecting/reach.ts'
import { listening } from '../../src/testing/loopback/sockets.ts'
import { createBackendConnection } from '../../src/connecting/backend-connection.ts'
import { socketServer } from '../../src/testing/loopback-server.ts'
import { askServer, closeServersAfterEach, dialects, facts, hello, serverFor } from './ask.ts'
import { handClock } from '../support/hand-clock.ts'

closeServersAfterEach()

const pem = readFileSync(new URL('../fixtures/wire/self-signed.pem', import.meta.url))

describe('8: TLS refused or mismatched', () => {
  test('a self-signed certificate is named as such', async () => {
    const server = createTlsServer({ key: pem, cert: pem })
    const port = await listening(server)
    const { error } = await askServer('openai', `https://127.0.0.1:${port}`)
    expect(facts(error)).toEqual({ code: 'connection', fault: 'tls' })
    expect(String(error)).toContain('self-signed')
    expect(error).toMatchObject({ retryable: false })
    server.close()
  })

  test('a server that speaks plain HTTP is named as such', async () => {
    const server = await serverFor()
    const { error } = await askServer('openai', server.url.replace('http:', 'https:'))
    expect(facts(error)).toEqual({ code: 'connection', fault: 'tls' })
    expect(String(error)).toContain('http://')
  })

  test('a server that hangs up in the handshake is named as such', async () => {
    const server = await socketServer((socket) => void socket.once('data', () => socket.end()))
    const { error } = await askServer('openai', server.url.replace('http:', 'https:'))
    expect(facts(error)).toEqual({ code: 'connection', fault: 'tls' })
    await server.close()
  })
})

// a listener in a process of its own, stopped; its backlog is filled, so that further connections go nowhere
const deafListener = `
  const { createServer, connect } = require('node:net')
  const server = createServer(() => {})
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => process.stdout.write(server.address().port + '\\n'))
`

test('3: a connection that goes nowhere is left after connectMs, and its socket with it', async () => {
  const child = spawn(process.execPath, ['-e', deafListener], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<number>((resolve) =>
    child.stdout.once('data', (text) => resolve(Number(String(text)))),
  )
  child.kill('SIGSTOP')
  const { connect } = await import('node:net')
  const fillers = Array.from({ length: 8 }, () => connect({ port, host: '127.0.0.1' }))
  // two of them fill the queue; the others are as lost as what comes after them
  await new Promise((resolve) => fillers[0]?.once('connect', resolve))
  await new Promise((resolve) => fillers[1]?.once('connect', resolve))
  const clock = handClock()
  const connection = createBackendConnection({
    baseUrl: `http://127.0.0.1:${port}`,
    apiType: 'auto',
    limits: { lineBytes: 65_536 },
    timeouts: { connectMs: 2_000 },
    clock,
  })
  const asked = connection.connect(new AbortController().signal).catch((error: unknown) => error)
  await expect.poll(() => clock.pending()).toBe(1)
  clock.advance(2_000)
  expect(facts(await asked)).toEqual({ code: 'timeout', fault: 'connect-timeout', origin: true })

  const leaving = new AbortController()
  const direct = askServer('openai', `http://127.0.0.1:${port}`, hello, leaving.signal)
  leaving.abort(new Error('connect-timeout'))
  const { error, records } = await direct
  expect(String(error)).toContain('connect-timeout')
  expect(records).toEqual([])
  for (const filler of fillers) filler.on('error', () => undefined).destroy()
  child.kill('SIGKILL')
})

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))
/** The event loop stands still for longer than the timers that Node, or a socket, has of its own. */
const stall = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)

/** Every name stands for these, and while the first of them is tried for the first time, the loop stalls. */
function twoAddresses(addresses: readonly string[]): void {
  let lookups = 0
  vi.spyOn(dns, 'lookup').mockImplementation((...given: unknown[]) => {
    const answer = given.at(-1)
    const isFirst = (lookups += 1) === 1
    setImmediate(() => {
      if (typeof answer !== 'function') return
      answer(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      )
      if (isFirst) stall()
    })
  })
  onTestFinished(() => void vi.restoreAllMocks())
}

describe('79: the event loop stands still', () => {
  test.each(['the first', 'the last'])(
    'while a name with two addresses is tried, of which %s listens',
    async (which) => {
      const server = await serverFor()
      twoAddresses(which === 'the first' ? ['127.0.0.1', '127.0.0.2'] : ['127.0.0.2', '127.0.0.1'])
      const url = server.url.replace('127.0.0.1', 'two.test')
      const { error, records } = await askServer('ollama-chat', url)
      expect(error).toBeUndefined()
      expect(records.at(0)).toEqual({ type: 'connected' })
      expect(server.requests).toHaveLength(1)
    },
  )

  test('while the port is looked at', async () => {
    const server = await serverFor()
    twoAddresses(['127.0.0.1', '127.0.0.2'])
    await openSocket(parseAddress(server.url.replace('127.0.0.1', 'two.test')), new AbortController().signal)
  })

  test('between the status of an error and its words', async () => {
    const body = JSON.stringify({ error: 'the prompt is longer than the context length' })
    const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
    const server = await socketServer((socket) => {
      const answer = async () => {
        socket.write(head)
        for (let turns = 0; turns < 20; turns++) await turn()
        socket.write(body)
        stall()
      }
      socket.once('data', () => void answer())
    })
    const { error } = await askServer('ollama-chat', server.url)
    expect(facts(error)).toMatchObject({ code: 'context-overflow' })
    await server.close()
  })
})

describe.each(dialects)('%s', (dialect) => {
  test('a reply in time leaves no socket behind', async () => {
    const server = await serverFor()
    await Promise.all(Array.from({ length: 20 }, () => askServer(dialect, server.url)))
    await expect.poll(() => server.openSockets).toBe(0)
  })
})
