import { Server } from 'node:http'
import { afterEach, expect, test, vi } from 'vitest'
import { startServer } from '../../src/server/start-server.ts'
import { serveScript, type ServedScript } from './serve-script.ts'
import { connect, type TestClient } from './wire-test-client.ts'

let served: ServedScript
afterEach(() => served.close())

test('a thousand sockets open, watch and close, and nothing of them is left', async () => {
  served = await serveScript([{ text: 'Yes.' }])
  const { server, service } = served
  const watched = service.conversation('crowd')
  const inspectors = vi.spyOn(watched.actor.system, 'inspect')
  for (let round = 1; round <= 2; round += 1) {
    const clients: TestClient[] = []
    // By the hundred, since a listening socket queues no more than a few hundred at once.
    while (clients.length < 1_000)
      clients.push(...(await Promise.all(Array.from({ length: 100 }, () => connect(server)))))
    for (const client of clients) client.say({ type: 'open', conversationId: 'crowd' })
    await Promise.all(clients.map((client) => client.next('conversation')))
    expect(server.sockets).toBe(1_000)
    await Promise.all(clients.map((client) => client.close()))
    await expect.poll(() => server.sockets).toBe(0)
    // One look inside a round, however many watch; and it ends with the last who does.
    expect(inspectors).toHaveBeenCalledTimes(round)
  }
  const last = await connect(server)
  last.say({ type: 'ask', conversationId: 'crowd', text: 'Anybody?', id: 'q' })
  expect(await last.next('outcome')).toMatchObject({ outcome: { heard: 'Yes.' } })
  await last.close()
}, 300_000)

test('sockets beyond the limit are refused', async () => {
  served = await serveScript([], { limits: { sockets: 2 } })
  const clients = [await connect(served.server), await connect(served.server)]
  await expect(connect(served.server)).rejects.toThrow('503')
  await Promise.all(clients.map((client) => client.close()))
})

test('a reader that does not read is cut, and the others hear on', async () => {
  served = await serveScript([{ text: 'word '.repeat(300) }], { limits: { bufferedBytes: 20_000 } })
  const [slow, quick] = [await connect(served.server), await connect(served.server)]
  for (const client of [slow, quick]) {
    client.say({ type: 'open' })
    await client.next('conversation')
  }
  slow.socket.pause()
  // What the kernel buffers comes first: turns go on until it is full.
  for (let turn = 0; turn < 400 && served.server.sockets === 2; turn += 1) {
    for (let at = 0; at < 40; at += 1) quick.say({ type: 'SPEECH_PARTIAL', text: 'x'.repeat(3_900) })
    quick.say({ type: 'leave', conversationId: 'nowhere' })
    for (let at = 0; at < 40; at += 1) await quick.next('SPEECH_PARTIAL')
  }
  await expect.poll(() => served.server.sockets).toBe(1)
  quick.say({ type: 'interrupt' })
  slow.socket.terminate()
  await quick.close()
}, 60_000)

test('a port that is taken: the next free one is used', async () => {
  served = await serveScript()
  const { service, server } = served
  const answering = { kind: 'scripted', isLanguageModel: false } as const
  const second = await startServer({ service, answering, port: server.port })
  expect(second.port).toBeGreaterThan(server.port)
  await second.close()
})

test('an address that is not ours is refused in one line', async () => {
  served = await serveScript()
  const { service } = served
  const answering = { kind: 'scripted', isLanguageModel: false } as const
  const start = startServer({ service, answering, host: '203.0.113.7', token: 'a-rather-long-token', port: 0 })
  await expect(start).rejects.toThrow(/this machine has no address 203\.0\.113\.7/)
})

test('closing ends every socket with a farewell, also of who does not answer it', async () => {
  const close = vi.spyOn(Server.prototype, 'close')
  served = await serveScript()
  const [polite, deaf] = [await connect(served.server), await connect(served.server)]
  deaf.socket.pause()
  await served.server.close()
  expect(await polite.closed).toBe(1001)
  expect(close).toHaveBeenCalled()
  deaf.socket.terminate()
  close.mockRestore()
})
