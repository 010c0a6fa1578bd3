import { once } from 'node:events'
import { request } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { connect } from '../server/wire-test-client.ts'
import { serveScript, type ServedScript } from '../server/serve-script.ts'
import { doors, handshake, type ServedDoor } from '../support/doors.ts'
import { handClock, type HandClock } from '../support/hand-clock.ts'
import { patiently, rawSocket, type RawSocket } from '../support/raw-exchange.ts'
import { wsFrame } from '../support/ws-frame.ts'

/** What connections that say nothing, or never finish, have said. */
const beginnings = (door: ServedDoor): (string | Buffer)[] => [
  '',
  'GET',
  `GET ${door.page} HTTP/1.1\r\nHost: 127.0.0.1:${door.port}\r\n`,
  `POST /conversations/a/ask HTTP/1.1\r\nHost: 127.0.0.1:${door.port}\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"te`,
  handshake(door),
  Buffer.concat([Buffer.from(handshake(door)), wsFrame({ payload: '{"type":"hello"', fin: false })]),
]

/** So many of them. */
async function openMute(door: ServedDoor, count: number) {
  const kinds = beginnings(door)
  const all: RawSocket[] = []
  for (let at = 0; at < count; at += 1) {
    const mute = rawSocket(door.port, kinds[at % kinds.length])
    all.push(mute)
    // A port queues no more than a few hundred.
    if (at % 100 === 99) await once(mute.socket, 'connect')
  }
  return all
}

describe.each(Object.entries(doors))('the places of %s', { timeout: 120_000 }, (_, start) => {
  let door: ServedDoor
  let clock: HandClock
  afterEach(() => door.close())

  test('row 85: thousands that say nothing keep nobody out, and are cut when their time is over', async () => {
    clock = handClock()
    door = await start(clock)
    const all: RawSocket[] = []
    for (let round = 0; round < 4; round += 1) {
      all.push(...(await openMute(door, 500)))
      // No time goes by here: who is served is so at once.
      await door.serves()
    }
    const cut = () => all.filter(({ socket }) => socket.destroyed).length
    await expect.poll(cut, patiently).toBeGreaterThan(all.length - 1_100)
    clock.advance(30_000)
    await Promise.all(all.map(({ closed }) => closed))
    await door.serves()
  })
})

describe('those who are served', () => {
  const token = 'a-rather-long-token'
  let served: ServedScript
  afterEach(() => served.close())
  const doorOf = ({ server: { port } }: ServedScript): ServedDoor => ({
    port,
    origin: `http://127.0.0.1:${port}`,
    page: '/healthz',
    live: '/ws',
    serves: async () => {},
    close: async () => {},
  })

  test('row 85: a newcomer takes the place of the one that has said nothing for longest', async () => {
    served = await serveScript([], { clock: handClock(), token, limits: { waiting: 2 } })
    const friend = await connect(served.server, { hello: { type: 'hello', v: 1, token } })
    await friend.next('hello')
    const [first, second, third] = [
      await connect(served.server, { hello: null }),
      await connect(served.server, { hello: null }),
      await connect(served.server, { hello: null }),
    ]
    expect(await first.closed).toBe(4408)
    second.say({ type: 'hello', v: 1, token })
    await second.next('hello')
    third.say({ type: 'hello', v: 1, token })
    await third.next('hello')
    expect(friend.socket.readyState).toBe(friend.socket.OPEN)
    await Promise.all([friend, second, third].map((client) => client.close()))
  })

  test('row 85: whoever is sent away leaves its place at once, without answering', async () => {
    const clock = handClock()
    served = await serveScript([], { clock, token })
    const hello = (said: object) => wsFrame({ payload: JSON.stringify({ type: 'hello', v: 1, ...said }) })
    const lasts = [
      hello({ token: 'not-the-token' }),
      hello({ v: 2 }),
      wsFrame({ payload: '{"type":"open"}' }),
      // What comes with it in one piece is not heard any more.
      Buffer.concat([
        hello({ token: 'not-the-token' }),
        hello({ token }),
        wsFrame({ payload: '{"type":"open","conversationId":"kitchen"}' }),
      ]),
    ]
    for (const last of lasts) {
      const stranger = rawSocket(served.server.port, handshake(doorOf(served)))
      await stranger.until(/101 Switching/u)
      stranger.socket.write(last)
      expect(await stranger.closed).not.toContain('"type":"conversations"')
    }
    expect(served.service.find('kitchen')).toBeUndefined()
    await expect.poll(() => served.server.sockets, patiently).toBe(0)
  })

  test('row 85: a question that waits for its answer is not cut, however many say nothing', async () => {
    const clock = handClock()
    served = await serveScript([{ text: 'Never said.', fault: { kind: 'stall', afterTokens: 0 } }], {
      clock,
      limits: { waiting: 20 },
    })
    const call = request({
      host: '127.0.0.1',
      port: served.server.port,
      path: '/conversations/a/ask',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      agent: false,
    })
    call.end(JSON.stringify({ text: 'Well?' }))
    const [response] = await once(call, 'response')
    await once(response, 'data')
    const mute = await openMute(doorOf(served), 100)
    clock.advance(60_000)
    served.service.conversation('a').interrupt()
    let told = ''
    for await (const piece of response) told += String(piece)
    expect(told).toContain('event: outcome')
    for (const { socket } of mute) socket.destroy()
  })

  test('row 85: places for those who are served are counted by hello and by question', async () => {
    served = await serveScript([], { limits: { sockets: 1 } })
    const [first, second] = [
      await connect(served.server, { hello: null }),
      await connect(served.server, { hello: null }),
    ]
    first.say({ type: 'hello', v: 1 })
    await first.next('hello')
    second.say({ type: 'hello', v: 1 })
    expect(await second.closed).toBe(1013)
    await expect(connect(served.server)).rejects.toThrow('503')
    const asked = await fetch(`http://127.0.0.1:${served.server.port}/conversations/a/ask`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"text":"Well?"}',
    })
    expect(asked.status).toBe(503)
    await first.close()
    await expect.poll(() => served.server.sockets, patiently).toBe(0)
    const third = await connect(served.server)
    await third.next('hello')
    await third.close()
  })
})
