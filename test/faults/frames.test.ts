import { request } from 'node:http'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serveScript, type ServedScript } from '../server/serve-script.ts'
import { connect } from '../server/wire-test-client.ts'
import { doors, rawPeer, type ServedDoor } from '../support/doors.ts'
import { wsFrame } from '../support/ws-frame.ts'

const badUtf8 = Uint8Array.from([0xff, 0xfe, 0xc0, 0x80])
const badFrames: [what: string, bytes: Buffer][] = [
  ['bad UTF-8', wsFrame({ payload: badUtf8 })],
  [
    'bad UTF-8 over two frames',
    Buffer.concat([wsFrame({ payload: 'a', fin: false }), wsFrame({ opcode: 0, payload: badUtf8 })]),
  ],
  ['no mask', wsFrame({ payload: '{}', masked: false })],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, Buffer] => [`opcode ${opcode}`, wsFrame({ opcode })]),
  ...[1, 2, 4, 7].map((rsv): [string, Buffer] => [`reserved bits ${rsv}`, wsFrame({ rsv, payload: '{}' })]),
  ['a message too long', wsFrame({ payload: 'x'.repeat(100_000) })],
  ['a length of two gibibytes', wsFrame({ length: 2n ** 31n })],
  ['a length that no number holds', wsFrame({ length: 2n ** 60n })],
  ['a length with its highest bit set', wsFrame({ length: 2n ** 63n })],
  ['a ping in pieces', wsFrame({ opcode: 9, fin: false })],
  ['a ping too long', wsFrame({ opcode: 9, payload: 'x'.repeat(126) })],
  ['a close in pieces', wsFrame({ opcode: 8, fin: false })],
  ['a close of one byte', wsFrame({ opcode: 8, payload: Uint8Array.from([3]) })],
  ['a close with a code of nobody', wsFrame({ opcode: 8, payload: Uint8Array.from([0, 1]) })],
  ['a close with bad UTF-8', wsFrame({ opcode: 8, payload: Uint8Array.from([3, 232, 0xff]) })],
  ['a continuation of nothing', wsFrame({ opcode: 0, payload: 'x' })],
  ['a text inside a text', Buffer.concat([wsFrame({ fin: false, payload: '{' }), wsFrame({ payload: '{}' })])],
  ['no frame at all', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
]

const warnings: Error[] = []
const warn = (warning: Error) => warnings.push(warning)
beforeEach(() => process.on('warning', warn))
afterEach(() => {
  process.off('warning', warn)
  expect(warnings.splice(0)).toEqual([])
})

describe.each(Object.entries(doors))('a WebSocket of %s', { timeout: 60_000 }, (_, open) => {
  let door: ServedDoor
  beforeEach(async () => {
    door = await open()
  })
  afterEach(() => door.close())

  test('row 80: frames that break the rules end their socket at once, and nobody else', async () => {
    const peers = await Promise.all(badFrames.map(() => rawPeer(door)))
    for (const [index, [, bytes]] of badFrames.entries()) peers[index]?.socket.write(bytes)
    // None of them answers the farewell, and none is waited for.
    await Promise.all(peers.map(({ closed }) => closed))
    await door.serves()
  })

  test('row 80: random bytes in the place of frames end at most their own socket', async () => {
    const frame = fc
      .record({
        opcode: fc.nat(15),
        fin: fc.boolean(),
        rsv: fc.constantFrom(0, 0, 0, 1, 7),
        masked: fc.constantFrom(true, true, true, false),
        payload: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 200 }), fc.json()),
      })
      .map(wsFrame)
    const bytes = fc.array(fc.oneof(frame, fc.uint8Array({ maxLength: 50 })), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(bytes, async (pieces) => {
        const { socket, closed } = await rawPeer(door)
        socket.end(Buffer.concat(pieces))
        await closed
      }),
      { numRuns: 60 },
    )
    await door.serves()
  })
})

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
const badMessages: [what: string, text: string][] = [
  ['nothing', ''],
  ['no JSON', '{"type":'],
  ['a number', '12'],
  ['null', 'null'],
  ['a list', '[{"type":"open"}]'],
  ['brackets without end', '['.repeat(60_000)],
  ['lists in lists, 30 000 deep', deep(30_000)],
  ['the same in a field', `{"type":"ask","text":${deep(30_000)}}`],
  ['the same in a field that is not known', `{"type":"open","x":${deep(30_000)}}`],
  ['objects in objects, 10 000 deep', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
  ['a number of 60 000 digits', `{"type":"open","x":${'9'.repeat(60_000)}}`],
  ['a number that is none', '{"type":"progressed","replyId":"r","index":0,"chars":1e999}'],
  ['an own __proto__', '{"type":"open","__proto__":{"isTrusted":true}}'],
  ['a type out of __proto__', '{"__proto__":{"type":"open"}}'],
  ['the type __proto__', '{"type":"__proto__"}'],
  ['the type constructor', '{"type":"constructor"}'],
  ['an own constructor', '{"type":"open","constructor":{"prototype":{"polluted":true}}}'],
  ['an id of control characters', '{"type":"open","conversationId":"\\u001b[2J"}'],
  ['an id that is no text', '{"type":"open","conversationId":{"toString":null}}'],
  ['ten thousand fields', `{"type":"open",${Array.from({ length: 5_000 }, (__, at) => `"k${at}":0`).join(',')}}`],
]

describe('what is said in proper frames and makes no sense', () => {
  let served: ServedScript
  beforeEach(async () => {
    served = await serveScript([{ text: 'Yes.' }, { text: 'Yes.' }])
  })
  afterEach(() => served.close())

  test('row 80: a message that is none is one bad-input, before hello and after it', async () => {
    for (const hello of [null, { type: 'hello', v: 1 }]) {
      const client = await connect(served.server, { hello })
      for (const [what, text] of badMessages) {
        client.socket.send(text)
        expect(await client.next('ERROR_OCCURRED'), what).toMatchObject({ code: 'bad-input', conversationId: 'wire' })
      }
      client.socket.send(Buffer.from('{"type":"open"}'), { binary: true })
      expect(await client.next('ERROR_OCCURRED')).toMatchObject({ code: 'bad-input' })
      if (hello === null) client.say({ type: 'hello', v: 1 })
      await client.next('hello')
      client.say({ type: 'ask', text: 'Is it so?' })
      expect(await client.next('outcome')).toMatchObject({ outcome: { heard: 'Yes.' } })
      await client.close()
    }
    expect('polluted' in {} || 'isTrusted' in {}).toBe(false)
  })

  test('row 80: a name that every object has is an id like any other', async () => {
    const client = await connect(served.server)
    for (const conversationId of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      client.say({ type: 'open', conversationId })
      expect(await client.next('conversation')).toMatchObject({ conversationId, history: [] })
    }
    await client.close()
  })

  test('row 80: a body that is no question is refused, and nothing is asked', async () => {
    const ask = (body: string, headers: Record<string, string> = {}) =>
      new Promise<number | undefined>((resolve, reject) => {
        const call = request({
          host: '127.0.0.1',
          port: served.server.port,
          path: '/conversations/a/ask',
          method: 'POST',
          agent: false,
          headers: { 'content-type': 'application/json', ...headers },
        })
        call.on('response', (response) => {
          response.resume()
          resolve(response.statusCode)
        })
        call.on('error', reject)
        call.end(body)
      })
    for (const [what, text] of badMessages) expect(await ask(text), what).toBe(400)
    expect(await ask('{"text":"x","__proto__":{"text":"y"}}')).toBe(400)
    expect(await ask(JSON.stringify({ text: 'x'.repeat(70_000) }))).toBe(413)
    expect(served.service.find('a')).toBeUndefined()
  })
})
