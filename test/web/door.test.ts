import { once } from 'node:events'
import { WebSocket } from 'ws'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { createDoor, type Door, type DoorOptions } from '../../src/web/door.ts'
import { createGuard } from '../../src/web/guard.ts'
import type { PeerHandlers } from '../../src/web/peer.ts'
import { handClock } from '../support/hand-clock.ts'
import { patiently, rawSocket, statusOf } from '../support/raw-exchange.ts'

const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
let door: Door

async function opened(options: Partial<DoorOptions> = {}): Promise<number> {
  door = createDoor({
    guard: createGuard({ host: '127.0.0.1', token: undefined }),
    clock: handClock(),
    places: { sockets: 10, waiting: 10 },
    answer: ({ response }) => void response.end('fine'),
    socketPath: '/ws',
    messageBytes: 1_000,
    bufferedBytes: 1_000,
    serve: () => quiet,
    ...options,
  })
  door.server.listen(0, '127.0.0.1')
  await once(door.server, 'listening')
  const address = door.server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const quiet: PeerHandlers = { heard() {}, left() {} }
const broken = (): never => {
  throw new TypeError('\u001b[2J a stranger said this')
}
const get = (port: number, ...lines: string[]) =>
  [`GET /x HTTP/1.1`, `Host: 127.0.0.1:${port}`, ...lines, '', ''].join('\r\n')

afterEach(async () => {
  await door.close(0)
  warned.mockClear()
})
afterAll(() => warned.mockRestore())

/** A mistake is told to the operator once, without what a stranger said. */
async function reported(): Promise<void> {
  await expect.poll(() => warned.mock.calls, patiently).toHaveLength(1)
  const told = JSON.stringify(warned.mock.calls)
  expect(told).toContain('door.test.ts')
  expect(told).not.toContain('stranger said')
}

describe('no handler throws past its edge', () => {
  test.each<[string, DoorOptions['answer']]>([
    ['throws', broken],
    ['rejects', () => Promise.reject(new TypeError('no')).finally(broken)],
  ])('an answer that %s is a 500, and the next request is answered', async (_, answer) => {
    let isBroken = true
    const port = await opened({
      answer: (visit) => (isBroken ? answer(visit) : void visit.response.end()),
    })
    expect(await statusOf(port, get(port))).toBe(500)
    isBroken = false
    expect(await statusOf(port, get(port))).toBe(200)
    await reported()
  })

  test('an answer that breaks after it has begun is cut, also later', async () => {
    let breakLater = () => {}
    const port = await opened({
      answer({ response, later }) {
        response.write('so far')
        breakLater = later(broken)
      },
    })
    const { until, closed } = rawSocket(port, get(port))
    await until(/so far/u)
    breakLater()
    await closed
    await reported()
  })

  test.each<[string, DoorOptions['serve']]>([
    ['when a peer comes', broken],
    ['at a message', () => ({ ...quiet, heard: broken })],
    ['after a message', () => ({ ...quiet, heard: async () => Promise.resolve().then(broken) })],
    ['at a pong', (peer) => (peer.ping(), { ...quiet, answered: broken })],
    ['at the end', (peer) => ({ heard: () => peer.cut(), left: broken })],
    ['in what a peer does later', (peer) => ({ ...quiet, heard: () => peer.later(broken)() })],
  ])('a mistake %s ends that peer, and the next is served', async (_, serve) => {
    let isBroken = true
    const port = await opened({ serve: (peer, asked) => (isBroken ? serve(peer, asked) : quiet) })
    const first = new WebSocket(`ws://127.0.0.1:${port}/ws`)
    first.on('error', () => {})
    first.on('open', () => first.send('{}'))
    await once(first, 'close')
    isBroken = false
    const second = new WebSocket(`ws://127.0.0.1:${port}/ws`)
    await once(second, 'open')
    await reported()
    second.terminate()
  })

  test('a connection that could not be taken is told of and ends nothing', async () => {
    const port = await opened()
    door.server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }))
    expect(await statusOf(port, get(port))).toBe(200)
    await reported()
  })
})

describe('the guard comes first', () => {
  test('nobody is asked to continue before it has looked', async () => {
    const port = await opened()
    const asks = (host: string) =>
      `POST /x HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab`
    expect(await rawSocket(port, asks('evil.example')).closed).toMatch(/^HTTP\/1\.1 403/u)
    expect(await rawSocket(port, asks(`127.0.0.1:${port}`)).closed).toMatch(/^HTTP\/1\.1 100 [^]*HTTP\/1\.1 200/u)
  })

  test('a refused upgrade is cut, also where the other side keeps its half open', async () => {
    const port = await opened()
    const { socket, until } = rawSocket(port, get(port, 'Connection: Upgrade', 'Upgrade: websocket'))
    socket.allowHalfOpen = true
    expect(await until(/\}\}/u)).toMatch(/^HTTP\/1\.1 404/u)
    await expect
      .poll(() => new Promise((resolve) => door.server.getConnections((_, count) => resolve(count))), patiently)
      .toBe(0)
    socket.destroy()
  })
})

test('a peer that does not read is cut, and what is said to it then is nobody’s', async () => {
  const port = await opened({
    serve: (peer) => ({
      ...quiet,
      heard() {
        for (let at = 0; at < 200; at += 1) peer.send('x'.repeat(100_000))
      },
    }),
  })
  const client = new WebSocket(`ws://127.0.0.1:${port}/ws`)
  await once(client, 'open')
  client.send('{}')
  client.pause()
  await expect.poll(() => door.sockets, patiently).toBe(0)
  client.terminate()
})
