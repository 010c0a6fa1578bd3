import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { WebSocket } from 'ws'
import { afterEach, describe, expect, it } from 'vitest'
import { startInspector, withoutWords, type Inspector, type InspectorOptions } from '../../src/inspection/index.ts'
import { talkingService } from './two-conversations.ts'
import { view } from './viewer.ts'

const key = 'sk-never-to-be-seen'
let inspector: Inspector

async function inspected(options: InspectorOptions = {}) {
  inspector = await startInspector(options)
  return talkingService({ apiKey: key, inspect: inspector.inspect })
}

afterEach(() => inspector.close())

describe('what is shown', () => {
  it('a viewer who joins late gets everything, actors before the entries that speak of them', async () => {
    const { clock, service, conversation } = await inspected()
    const outcome = conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    const viewer = await view(inspector.url)
    const [hello] = viewer.messages
    const byId = (id: string) => hello?.actors.find((actor) => actor.id === id)
    expect(hello?.type).toBe('hello')
    expect(byId('kitchen')).toMatchObject({ parent: null, status: 'active' })
    expect(byId('kitchen')?.active).toContain('conversation.idle')
    expect(byId('reply-1')).toMatchObject({ parent: byId('kitchen')?.key, status: 'stopped' })
    expect(Object.keys(hello?.charts ?? {})).toEqual(['conversation', 'reply', 'breaker'])
    const known = new Set(hello?.actors.map((actor) => actor.key))
    expect(hello?.entries.every((entry) => known.has(entry.actor))).toBe(true)
    expect(hello?.entries.map(({ type }) => type)).toEqual(expect.arrayContaining(['CALLER_TYPED', 'REPLY_SEGMENT']))
    await viewer.close()
    await service.close()
  })

  it('what happens while one looks is told in batches, in order, once', async () => {
    const { clock, service, conversation } = await inspected()
    const viewer = await view(inspector.url)
    void conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    await viewer.until(() => viewer.entries().some(({ type }) => type === 'PLAYBACK_FINISHED'))
    const seqs = viewer.entries().map(({ seq }) => seq)
    expect(seqs).toEqual(seqs.map((_, index) => index + 1))
    expect(viewer.messages.length).toBeLessThan(seqs.length / 4)
    await viewer.close()
    await service.close()
  })

  it('a delta is no entry: a reply in a thousand deltas is told in as many as one in ten', async () => {
    const text = 'It is said word by word. '.repeat(40)
    const counted = async (deltas: readonly string[]) => {
      let inspections = 0
      let told = 0
      const { clock, service, conversation } = talkingService({
        script: { replies: [{ deltas, perTokenMs: 0 }] },
        inspect: () => (inspections += 1),
      })
      const kitchen = conversation('kitchen')
      kitchen.deltas.subscribe(() => (told += 1))
      void kitchen.ask('go on')
      await clock.runUntilIdle()
      await service.close()
      return { told, inspections }
    }
    const [many, few] = [await counted([...text]), await counted(text.match(/.{100}/gsu) ?? [])]
    expect(many.told).toBe(1_000)
    expect(few.told).toBe(10)
    expect(many.inspections).toBe(few.inspections)
    await inspected()
  })

  it('the key is nowhere: not in contexts, not in events, not in charts', async () => {
    const { clock, service, conversation } = await inspected()
    const viewer = await view(inspector.url)
    void conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    await viewer.until(() => viewer.entries().some(({ type }) => type === 'PLAYBACK_FINISHED'))
    const late = await view(inspector.url)
    expect(viewer.text()).toContain('switch on the light')
    expect(viewer.text() + late.text()).not.toContain(key)
    await viewer.close()
    await late.close()
    await service.close()
  })

  it('sanitize decides what is shown: no word of the conversation with withoutWords', async () => {
    const { clock, service, conversation } = await inspected({ sanitize: withoutWords })
    void conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    const viewer = await view(inspector.url)
    expect(viewer.text()).toContain('CALLER_TYPED')
    expect(viewer.text()).not.toContain('switch on')
    expect(viewer.text()).not.toContain('kitchen light is on')
    await viewer.close()
    await service.close()
  })
})

describe('a conversation is never hurt', () => {
  it('by a sanitize that throws: the payload is withheld', async () => {
    const { clock, service, conversation } = await inspected({
      sanitize() {
        throw new Error('mine')
      },
    })
    const outcome = conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    const viewer = await view(inspector.url)
    expect(viewer.text()).toContain('withheld')
    expect(viewer.text()).not.toContain('switch on')
    await viewer.close()
    await service.close()
  })

  it('by an inspector that throws, which is left out from then on', async () => {
    await inspected()
    let calls = 0
    const { clock, service, conversation } = talkingService({
      inspect() {
        calls += 1
        throw new Error('broken inspector')
      },
    })
    const outcome = conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    expect(calls).toBe(1)
    await service.close()
  })

  it('by a viewer that stops reading: it is cut, and the others go on', async () => {
    const { clock, service, conversation } = await inspected({
      limits: { payloadChars: 400_000, entryChars: 60_000_000 },
    })
    const stalled = await view(inspector.url)
    stalled.socket.pause()
    const viewer = await view(inspector.url)
    const kitchen = conversation('kitchen')
    const cut = once(stalled.socket, 'close')
    const words = 'and then '.repeat(30_000)
    const told = () => viewer.entries().filter(({ type }) => type === 'NEWS_CAME').length
    const event = { type: 'NEWS_CAME', words }
    for (let round = 1; round <= 12; round += 1) {
      for (let one = 0; one < 10; one += 1) {
        inspector.inspect({ type: '@xstate.event', rootId: 'x', sourceRef: undefined, actorRef: kitchen.actor, event })
      }
      await viewer.until(() => told() === round * 10)
    }
    stalled.socket.resume()
    await cut
    const outcome = kitchen.ask('still there')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    await viewer.close()
    await service.close()
  })

  it('by the inspector being closed in mid-conversation', async () => {
    const { clock, service, conversation } = await inspected()
    const viewer = await view(inspector.url)
    const outcome = conversation('kitchen').ask('switch on the light')
    await clock.advanceTo(100)
    const gone = once(viewer.socket, 'close')
    await inspector.close()
    await gone
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    await service.close()
  })
})

describe('the door', () => {
  const upgrade = (headers: Record<string, string>) => {
    const socket = new WebSocket(`ws://127.0.0.1:${inspector.port}/live`, { headers })
    return new Promise<string>((resolve) => {
      socket.on('error', (error) => resolve(error.message))
      socket.on('open', () => {
        socket.terminate()
        resolve('open')
      })
    })
  }
  const get = (headers: Record<string, string>, path = '/', method = 'GET') =>
    new Promise<{ status: number | undefined; headers: NodeJS.Dict<string | string[]> }>((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: inspector.port, path, method, headers }, (response) => {
        response.resume().on('end', () => resolve({ status: response.statusCode, headers: response.headers }))
      })
      asked.on('error', reject).end()
    })

  it('opens to our own page alone', async () => {
    await inspected()
    const ours = `http://127.0.0.1:${inspector.port}`
    expect(await upgrade({ origin: ours })).toBe('open')
    expect(await upgrade({ origin: `http://localhost:${inspector.port}` })).toBe('open')
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1', `https://127.0.0.1:${inspector.port}`]) {
      expect(await upgrade({ origin }), origin).toContain('403')
    }
    expect(await upgrade({}), 'no origin').toContain('403')
    expect(await upgrade({ origin: ours, host: `evil.example:${inspector.port}` })).toContain('403')
  })

  it('answers under its own name alone, and serves its files and nothing else', async () => {
    await inspected()
    expect((await get({})).status).toBe(200)
    expect((await get({ host: 'evil.example' })).status).toBe(403)
    expect((await get({}, '/../package.json')).status).toBe(404)
    expect((await get({}, '/%2e%2e/package.json')).status).toBe(404)
    expect((await get({}, '/', 'POST')).status).toBe(405)
  })

  it('allows its page nothing from elsewhere and nothing inline', async () => {
    await inspected()
    const { headers } = await get({})
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    expect(headers['x-content-type-options']).toBe('nosniff')
  })

  it('a viewer that speaks is shown out: there is nothing to say', async () => {
    await inspected()
    const viewer = await view(inspector.url)
    const gone = once(viewer.socket, 'close')
    viewer.socket.send('{"type":"hello"}')
    await gone
  })

  it('is not open to other machines', async () => {
    await inspected()
    await expect(startInspector({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'config' })
  })

  it('a port that is taken is a config error that says what to do', async () => {
    await inspected()
    await expect(startInspector({ port: inspector.port })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('choose another port'),
    })
  })

  it('leaves nothing behind when it closes, not even a half-open request', async () => {
    await inspected()
    const socket = connect(inspector.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.write('GET / HTTP/1.1\r\n')
    await inspector.close()
    await closed
  })
})
