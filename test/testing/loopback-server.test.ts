import { afterEach, describe, expect, test } from 'vitest'
import { accepts } from '../../src/testing/loopback/sockets.ts'
import { loopbackServer, type LoopbackOptions, type LoopbackServer } from '../../src/testing/loopback-server.ts'

const open: LoopbackServer[] = []
const serve = async (options?: LoopbackOptions) => {
  const server = await loopbackServer(options)
  open.push(server)
  return server
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})

const post = (server: LoopbackServer, path: string, body: object, signal?: AbortSignal) =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  })
const chat = (server: LoopbackServer, more: object = {}) =>
  post(server, '/api/chat', { model: 'm1', messages: [], ...more })

describe('the loopback server', () => {
  test('speaks to any client, in order of its replies, the last one for ever', async () => {
    const server = await serve({ replies: [{ text: 'One.' }, { text: 'Two.' }] })
    const said: string[] = []
    for (let i = 0; i < 3; i++) {
      const lines = (await (await chat(server)).text()).trim().split('\n')
      said.push(lines[0] ?? '')
    }
    expect(said.map((line) => /"content":"(\w+\.)"/.exec(line)?.[1])).toEqual(['One.', 'Two.', 'Two.'])
  })

  test('keeps each request with its body and what became of its connection', async () => {
    const server = await serve({ replies: [{ text: 'one two', hold: 1 }] })
    const leaving = new AbortController()
    const response = await post(server, '/v1/chat/completions', { model: 'm1', stream: true }, leaving.signal)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await server.requested(0)).toMatchObject({ dialect: 'openai', model: 'm1', closedEarly: false })
    leaving.abort()
    expect(await server.closed(0)).toMatchObject({ closedEarly: true })
  })

  test('is slow on cue: a held reply goes on when it is released, also ahead of time', async () => {
    const server = await serve({ replies: [{ text: 'one two', hold: 'headers' }] })
    const asked = chat(server)
    await server.requested(0)
    server.release(0)
    expect(await (await asked).text()).toContain('two')
    server.release(1)
    expect(await (await chat(server)).text()).toContain('two')
  })

  test('a close of its own is not taken for the client’s', async () => {
    const server = await serve({ replies: [{ fault: { kind: 'cut' } }] })
    await chat(server)
      .then((response) => response.text())
      .catch(() => 'cut')
    expect((await server.closed(0)).closedEarly).toBe(false)
  })

  test('new replies and models may be set while it runs', async () => {
    const server = await serve()
    expect((await chat(server, { model: 'm2' })).status).toBe(404)
    server.setModels(['m2'])
    server.reply({ text: 'Now.' })
    expect(await (await chat(server, { model: 'm2' })).text()).toContain('Now.')
  })

  test('demands the key it was given', async () => {
    const server = await serve({ apiKey: 'sesame' })
    expect((await fetch(`${server.url}/api/tags`)).status).toBe(401)
    expect((await fetch(`${server.url}/api/tags`, { headers: { authorization: 'Bearer sesame' } })).status).toBe(200)
  })

  test('close frees the port and cuts what is open', async () => {
    const server = await serve({ replies: [{ fault: { kind: 'keep-alive' } }] })
    await chat(server)
    await server.close()
    await server.closed(0)
    expect(server.openSockets).toBe(0)
    expect(await accepts(server.port)).toBe(false)
  })
})
