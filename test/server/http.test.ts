import { IncomingMessage, request as send, ServerResponse, type RequestOptions } from 'node:http'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createEventBus, systemClock, type EventBus } from '../../src/index.ts'
import { serveHttp } from '../../src/server/http-routes.ts'
import { createHub } from '../../src/server/hub.ts'
import { createGuard } from '../../src/web/guard.ts'
import { serveScript, type ServedScript } from './serve-script.ts'
import { connect } from './wire-test-client.ts'

let served: ServedScript
afterEach(() => served?.close())

/** Not fetch, which will not let Host be set. */
async function request(path: string, options: RequestOptions & { body?: string } = {}) {
  const { body, ...rest } = options
  const call = send({ host: '127.0.0.1', port: served.server.port, path, agent: false, ...rest })
  const answer = once(call, 'response')
  call.end(body)
  const [response] = await answer
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}
const kitchen = { conversationId: 'kitchen' }
const json = { 'content-type': 'application/json' }
const ask = (body: unknown, headers: Record<string, string> = json) =>
  request('/conversations/kitchen/ask', { method: 'POST', headers, body: JSON.stringify(body) })

describe('HTTP', () => {
  test('a question is answered by server-sent events that end with the outcome', async () => {
    served = await serveScript([{ text: 'Yes. Indeed.' }])
    const { status, headers, body } = await ask({ text: 'Is it so?' })
    expect(status).toBe(200)
    expect(headers['content-type']).toMatch('text/event-stream')
    const events = body.trim().split('\n\n')
    expect(events.at(-1)).toMatch(/^event: outcome\ndata: .*"heard":"Yes. Indeed."/)
    expect(events.filter((event) => event.startsWith('event: delta'))).toHaveLength(2)
    const { history } = z
      .object({ history: z.array(z.looseObject({})) })
      .parse(JSON.parse((await request('/conversations/kitchen/history')).body))
    expect(history).toMatchObject([
      { role: 'user', text: 'Is it so?' },
      { role: 'assistant', text: 'Yes. Indeed.' },
    ])
  })

  test.each<[string, (served: ServedScript, bus: EventBus) => unknown]>([
    ['opened by the program', ({ service }) => service.conversation('kitchen')],
    ['opened over the bus', (_, bus) => bus.publish({ type: 'SPEECH_STARTED', ...kitchen })],
    ['spoken with by the program', ({ service }) => service.conversation('kitchen').ask('Is it so?')],
  ])('the history of a conversation %s is there, and a look opens none', async (_, open) => {
    const bus = createEventBus()
    served = await serveScript([{ text: 'Yes.' }], { bus })
    await served.service.initialize()
    const look = () => request('/conversations/kitchen/history')
    expect(await look()).toMatchObject({ status: 404 })
    expect(served.service.find('kitchen')).toBeUndefined()
    await open(served, bus)
    const answer = await look()
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.body)).toEqual({
      conversationId: 'kitchen',
      history: served.service.conversation('kitchen').history,
    })
  })

  test('what happens in a conversation after an answer is not written behind its end', async () => {
    served = await serveScript([{ text: 'Yes.' }, { text: 'No.' }])
    const { service } = served
    const asked = new IncomingMessage(new Socket())
    Object.assign(asked.headers, json)
    asked.push(JSON.stringify({ text: 'Is it so?' }))
    asked.push(null)
    // Its reader reads nothing: the end stays where it is, and so does the stream.
    const response = new ServerResponse(asked)
    const errors: unknown[] = []
    response.on('error', (error) => errors.push(error))
    const hub = createHub(service, systemClock)
    await serveHttp(
      {
        request: asked,
        response,
        method: 'POST',
        path: '/conversations/kitchen/ask',
        takePlace: () => ({ leave() {} }),
        later:
          (handle) =>
          (...given) =>
            void handle(...given),
      },
      {
        service,
        hub,
        kept: undefined,
        clock: systemClock,
        guard: createGuard({ host: '127.0.0.1', token: undefined }),
        limits: { utteranceChars: 100, messageBytes: 1_000, bufferedBytes: 100_000, openPerClient: 1 },
        answering: { kind: 'scripted', isLanguageModel: false },
        version: '0',
      },
    )
    expect(response.writableEnded).toBe(true)
    await service.conversation('kitchen').ask('And now?')
    expect(errors).toEqual([])
    hub.close()
  })

  test('closing the request ends the reply', async () => {
    served = await serveScript([{ text: 'Never said.', fault: { kind: 'stall', afterTokens: 0 } }])
    const call = send({
      host: '127.0.0.1',
      port: served.server.port,
      path: '/conversations/a/ask',
      method: 'POST',
      headers: json,
    })
    const interrupted = new Promise<void>((resolve) =>
      served.service.events.subscribe((event) => event.type === 'RESPONSE_INTERRUPTED' && resolve()),
    )
    const answer = once(call, 'response')
    call.end(JSON.stringify({ text: 'Well?' }))
    const [response] = await answer
    await once(response, 'data')
    call.destroy()
    await interrupted
  })

  test('healthz, the charts and the list of conversations are there', async () => {
    served = await serveScript()
    expect(JSON.parse((await request('/healthz')).body)).toMatchObject({
      ok: true,
      v: 1,
      answering: { isLanguageModel: true },
    })
    const charts = JSON.parse((await request('/charts.json')).body)
    expect(charts).toMatchObject({ conversation: { id: 'conversation' }, reply: { id: 'reply' } })
    expect(JSON.parse((await request('/conversations')).body)).toEqual({ conversations: [] })
  })

  test('HEAD is answered as GET is, without the body', async () => {
    served = await serveScript()
    for (const path of ['/', '/healthz', '/charts.json', '/nowhere']) {
      const [head, whole] = [await request(path, { method: 'HEAD' }), await request(path)]
      expect([head.status, head.headers['content-type'], head.body]).toEqual([
        whole.status,
        whole.headers['content-type'],
        '',
      ])
    }
  })

  test('the page may load nothing from anywhere else, and be framed by nobody', async () => {
    served = await serveScript()
    const { status, headers, body } = await request('/')
    expect(status).toBe(200)
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    expect(body).not.toMatch(/(src|href)="(https?:)?\/\//)
  })

  test.each([
    ['a path that is not there', '/nothing', {}, 404],
    ['a way out of the folder', '/..%2f..%2fpackage.json', {}, 404],
    ['a file that is no page', '/start-server.ts', {}, 404],
    ['a history nobody began', '/conversations/nobody/history', {}, 404],
    ['the wrong method', '/conversations/a/ask', {}, 405],
    ['a broken id', '/conversations/%ff/history', {}, 400],
  ])('%s is refused in one line', async (_, path, options, wanted) => {
    served = await serveScript()
    const { status, body } = await request(path, options)
    expect(status).toBe(wanted)
    expect(JSON.parse(body)).toMatchObject({ error: { message: expect.any(String) } })
  })

  test('a body that is no question, too long or of another type is refused', async () => {
    served = await serveScript([], { limits: { messageBytes: 1_000, utteranceChars: 100 } })
    expect(await ask({ question: 'x' })).toMatchObject({ status: 400 })
    expect(await ask({ text: ' ' })).toMatchObject({ status: 400 })
    expect(await ask({ text: 'x'.repeat(101) })).toMatchObject({ status: 400 })
    expect(await ask({ text: 'x'.repeat(2_000) })).toMatchObject({ status: 413 })
    expect(await ask({ text: 'x' }, { 'content-type': 'text/plain' })).toMatchObject({ status: 415 })
  })
})

describe('who may come in', () => {
  test.each([
    ['another name for this machine', { host: 'evil.example:4747' }],
    ['a page of another site', { origin: 'https://evil.example' }],
    ['a page without an origin of its own', { origin: 'null' }],
    ['an image on another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
  ])('%s is refused, by HTTP and by WebSocket', async (_, headers) => {
    served = await serveScript()
    expect(await request('/healthz', { headers })).toMatchObject({ status: 403 })
    await expect(connect(served.server, { headers })).rejects.toThrow('403')
  })

  test('its own page, localhost and an address are let in', async () => {
    served = await serveScript()
    const { port } = served.server
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`])
      expect(await request('/healthz', { headers: { host, origin: `http://${host}` } }), host).toMatchObject({
        status: 200,
      })
  })

  test('beyond loopback a token is demanded, and a short one is no token', async () => {
    await expect(serveScript([], { host: '0.0.0.0' })).rejects.toThrow(/--token/)
    await expect(serveScript([], { host: '0.0.0.0', token: 'short' })).rejects.toThrow(/12 characters/)
  })

  test('with a token nothing is told without it, by header or by hello', async () => {
    const token = 'a-rather-long-token'
    served = await serveScript([{ text: 'Yes.' }], { token })
    expect(served.server.url).toMatch(/#token=a-rather-long-token$/)
    expect(await request('/conversations')).toMatchObject({ status: 401 })
    expect(await request('/conversations', { headers: { authorization: 'Bearer wrong-token-12' } })).toMatchObject({
      status: 401,
    })
    expect(await request('/conversations', { headers: { authorization: `Bearer ${token}` } })).toMatchObject({
      status: 200,
    })
    await expect(connect(served.server, { headers: { authorization: 'Bearer wrong-token-12' } })).rejects.toThrow('401')
    const stranger = await connect(served.server)
    expect(await stranger.closed).toBe(4401)
    expect(JSON.stringify(stranger.told)).not.toContain(token)
    for (const given of [
      { hello: { type: 'hello', v: 1, token } },
      { headers: { authorization: `Bearer ${token}` } },
    ]) {
      const friend = await connect(served.server, given)
      await friend.next('hello')
      await friend.close()
    }
  })
})
