import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { request, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { sqliteStore } from '../../src/index.ts'
import { scriptedStore } from '../../src/testing/scripted-store.ts'
import { serveScript } from './serve-script.ts'
import { connect } from './wire-test-client.ts'

const history = [
  { role: 'user', text: 'I am Ada' },
  { role: 'assistant', text: 'Hi Ada.' },
]

async function historyAt({ port }: { port: number }, id = 'kitchen'): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`http://127.0.0.1:${port}/conversations/${id}/history`)
  return { status: response.status, body: await response.json() }
}

/** A run of the server in which one turn is taken, or none. */
async function run(store: Parameters<typeof serveScript>[1], text?: string) {
  const served = await serveScript([{ text: 'Hi Ada.' }], store)
  if (text !== undefined) {
    const client = await connect(served.server)
    client.say({ type: 'ask', conversationId: 'kitchen', text })
    await client.next('outcome')
    await client.close()
  }
  return served
}

/** A question over HTTP that waits until what is kept of the kitchen was read. */
async function askEarly({ port }: { port: number }) {
  let onStart: (message: unknown) => void = () => {}
  const started = new Promise<ServerResponse>((resolve) => {
    onStart = (message) => resolve(z.object({ response: z.instanceof(ServerResponse) }).parse(message).response)
  })
  subscribe('http.server.request.start', onStart)
  const call = request(`http://127.0.0.1:${port}/conversations/kitchen/ask`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    agent: false,
  })
  call.end(JSON.stringify({ text: 'Anybody there?' }))
  const response = await started
  unsubscribe('http.server.request.start', onStart)
  await expect.poll(async () => (await fetch(`http://127.0.0.1:${port}/conversations`)).text()).toContain('kitchen')
  return { call, response }
}

describe('a server whose conversations are kept', () => {
  test('tells in its second run what was said in the first, by WebSocket and by HTTP', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'colloquy-served-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const file = join(folder, 'conversations.db')
    await (await run({ store: sqliteStore({ file }) }, 'I am Ada')).close()

    const kept = sqliteStore({ file, readOnly: true })
    const { server, close } = await run({ store: sqliteStore({ file }), kept })
    expect(await historyAt(server)).toMatchObject({ status: 200, body: { conversationId: 'kitchen', history } })
    expect(await historyAt(server, 'nobody')).toMatchObject({ status: 404 })
    const client = await connect(server)
    // a look opens nothing
    expect(await client.next('conversations')).toMatchObject({ conversations: [] })
    client.say({ type: 'open', conversationId: 'kitchen' })
    expect(await client.next('conversation')).toMatchObject({ state: 'idle', history })
    await expect
      .poll(() => client.told.findLast(({ type }) => type === 'conversations')?.['conversations'])
      .toMatchObject([{ conversationId: 'kitchen', turns: 2 }])
    expect(await historyAt(server)).toMatchObject({ body: { history } })
    await client.close()
    await kept.close()
    await close()
  })

  test('takes what comes before it is read in order, after it has told how the conversation stands', async () => {
    const store = scriptedStore()
    await (await run({ store }, 'I am Ada')).close()
    store.hold()
    const { server, close } = await run({ store })
    const [client, other] = [await connect(server), await connect(server)]
    const inKitchen = { conversationId: 'kitchen' }
    client.say({ type: 'take-voice', ...inKitchen })
    client.say({ type: 'SPEECH_PARTIAL', text: 'Who', ...inKitchen })
    client.say({ type: 'ask', text: 'Who am I?', id: 'q', ...inKitchen })
    client.say({ type: 'drop-voice', ...inKitchen })
    other.say({ type: 'open', ...inKitchen })
    other.say({ type: 'leave', ...inKitchen })
    other.say({ type: 'open', conversationId: 'elsewhere' })
    client.say({ type: 'open', conversationId: 'last' })
    const isListed = (id: string) => JSON.stringify(client.told.at(-1)).includes(`"${id}"`)
    await expect.poll(() => isListed('elsewhere') && isListed('last')).toBe(true)
    expect([...client.told, ...other.told].filter(({ type }) => type !== 'hello' && type !== 'conversations')).toEqual(
      [],
    )
    const asked = historyAt(server)
    store.release()
    expect(await client.next('conversation')).toMatchObject({ history, voice: false })
    expect(await client.next('outcome')).toMatchObject({ id: 'q', outcome: { ending: 'finished' } })
    const about = client.told.filter(({ conversationId }) => conversationId === 'kitchen').map(({ type }) => type)
    expect(about.filter((type) => type !== 'chart').slice(0, 5)).toEqual([
      'conversation',
      'voice',
      'SPEECH_PARTIAL',
      'STATE_CHANGED',
      'CALLER_TURN_ENDED',
    ])
    expect(await asked).toMatchObject({ status: 200 })
    await other.next('conversation')
    await Promise.all([client.close(), other.close()])
    await close()
  })

  test('a question whose client left before the conversation was read is not asked', async () => {
    const store = scriptedStore()
    const { server, service, close } = await run({ store })
    store.hold()
    const { call, response } = await askEarly(server)
    call.on('error', () => {})
    call.destroy()
    await once(response, 'close')
    store.release()
    const client = await connect(server)
    client.say({ type: 'ask', conversationId: 'kitchen', text: 'I am Ada' })
    await client.next('outcome')
    expect(service.conversation('kitchen').history).toMatchObject(history)
    await client.close()
    await close()
  })

  test('a question to a conversation that was stopped before it was read is answered in its next life', async () => {
    const store = scriptedStore()
    const { server, service, close } = await run({ store })
    store.hold()
    const { call } = await askEarly(server)
    const answered = once(call, 'response')
    const stopped = service.conversation('kitchen').stop()
    store.release()
    const [response] = await answered
    expect(response.statusCode).toBe(200)
    response.resume()
    await once(response, 'end')
    await stopped
    await close()
  })

  test('a reply that the run before left is in the history, and is not told again', async () => {
    const store = scriptedStore()
    const first = await serveScript([{ text: 'One two. Three four.', fault: { kind: 'stall', afterTokens: 3 } }], {
      store,
    })
    const client = await connect(first.server)
    client.say({ type: 'ask', text: 'count' })
    await client.next('RESPONSE_STARTED')
    await first.close()
    const second = await serveScript([], { store })
    const viewer = await connect(second.server)
    viewer.say({ type: 'open' })
    expect(await viewer.next('conversation')).toMatchObject({
      history: [{ text: 'count' }, { role: 'assistant', interrupted: true }],
    })
    viewer.say({ type: 'SPEECH_PARTIAL', text: 'x' })
    await viewer.next('SPEECH_PARTIAL')
    expect(viewer.told.filter(({ type }) => type === 'RESPONSE_INTERRUPTED')).toEqual([])
    await viewer.close()
    await second.close()
  })

  test('a stored conversation that is refused is told to who opens it', async () => {
    const store = scriptedStore()
    await (await run({ store }, 'I am Ada')).close()
    const kept = store.kept.get('kitchen')
    store.kept.set('kitchen', { snapshot: '{}', lines: kept?.lines ?? [] })
    const { server, close } = await run({ store, kept: store })
    expect(await historyAt(server)).toMatchObject({ status: 503, body: { error: { code: 'store' } } })
    const client = await connect(server)
    client.say({ type: 'open', conversationId: 'kitchen' })
    expect(await client.next('conversation')).toMatchObject({ history: [] })
    expect(await client.next('ERROR_OCCURRED')).toMatchObject({ code: 'store', conversationId: 'kitchen' })
    await client.close()
    await close()
  })
})
