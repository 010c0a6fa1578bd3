import { describe, expect, test } from 'vitest'
import { openBackend } from '../../src/backends/open-backend.ts'
import { ask, askServer, closeServersAfterEach, dialects, hello, serverFor } from './ask.ts'

closeServersAfterEach()

describe.each(dialects)('%s', (dialect) => {
  test('a reply arrives delta by delta, with what its end record told', async () => {
    const server = await serverFor({ replies: [{ text: 'It is noon.', usage: { promptTokens: 21, replyTokens: 3 } }] })
    const { records, end } = await askServer(dialect, server.url)
    expect(records).toEqual([
      { type: 'connected' },
      { type: 'headers', status: 200 },
      ...['It', ' is', ' noon.'].map((text) => ({ type: 'delta', kind: 'text', text })),
    ])
    expect(end).toMatchObject({ model: 'm1', finishReason: 'stop', usage: { promptTokens: 21, replyTokens: 3 } })
  })

  test('a server that answers whole says the same', async () => {
    const server = await serverFor({ replies: [{ text: 'It is noon.', whole: true, thinking: ['Hm.'] }] })
    const { text, thinking, end } = await askServer(dialect, server.url)
    expect({ text, thinking, reason: end?.finishReason }).toEqual({
      text: 'It is noon.',
      thinking: 'Hm.',
      reason: 'stop',
    })
  })

  test('a reply asked for whole comes whole', async () => {
    const server = await serverFor({ replies: [{ text: 'It is noon.' }] })
    const { text, end } = await askServer(dialect, server.url, { ...hello, stream: false })
    expect(server.requests[0]?.body['stream']).toBe(false)
    expect({ text, reason: end?.finishReason }).toEqual({ text: 'It is noon.', reason: 'stop' })
  })

  test.each([
    ['{"response":"Hi."}'],
    ['{"message":{"role":"assistant","content":"Hi."}}'],
    ['{"choices":[{"message":{"content":"Hi."}}]}'],
    ['{\n  "message": {\n    "content": "Hi."\n  }\n}\n'],
  ])('understands the whole reply %j', async (raw) => {
    const server = await serverFor({ replies: [{ raw, contentType: 'application/json' }] })
    expect(await askServer(dialect, server.url)).toMatchObject({ text: 'Hi.', end: { finishReason: 'stop' } })
  })

  test('CRLF, comments and blank lines are ignored', async () => {
    const server = await serverFor({ replies: [{ text: 'It is noon.', untidy: true }] })
    expect(await askServer(dialect, server.url)).toMatchObject({ text: 'It is noon.', end: { finishReason: 'stop' } })
  })

  test('one byte at a time gives the same deltas, umlauts and all', async () => {
    const deltas = ['Grüß', ' Gott', ' 👋🏽', ' 你好']
    const server = await serverFor({ replies: [{ deltas, sliceBytes: 1 }] })
    const { records } = await askServer(dialect, server.url)
    expect(records.flatMap((record) => (record.type === 'delta' ? [record.text] : []))).toEqual(deltas)
  })

  test('a gzip body is read', async () => {
    const server = await serverFor({ replies: [{ text: 'It is noon.', gzip: true }] })
    expect(await askServer(dialect, server.url)).toMatchObject({ text: 'It is noon.' })
  })

  test('thinking is a kind of its own', async () => {
    const server = await serverFor({ replies: [{ text: 'Noon.', thinking: ['Let me', ' see.'] }] })
    expect(await askServer(dialect, server.url)).toMatchObject({ text: 'Noon.', thinking: 'Let me see.' })
  })

  test('a reply cut at the token limit says so', async () => {
    const server = await serverFor({ replies: [{ text: 'It is', finishReason: 'length' }] })
    expect((await askServer(dialect, server.url)).end?.finishReason).toBe('length')
  })

  test('the key is sent as a bearer token', async () => {
    const server = await serverFor({ apiKey: 'sesame', replies: [{ text: 'Hi.' }] })
    const backend = openBackend(dialect, { baseUrl: server.url, apiKey: 'sesame' })
    expect((await ask(backend)).text).toBe('Hi.')
    expect(server.requests[0]?.headers['authorization']).toBe('Bearer sesame')
  })

  test('a path in front of the API is kept, and one that ends in it is not doubled', async () => {
    const server = await serverFor()
    const suffix = dialect === 'openai' ? '/v1/' : '/api/'
    expect((await askServer(dialect, `${server.url}${suffix}`)).text).toBe('Hello.')
  })

  test('what comes after the end record is ignored, and the socket is released', async () => {
    const server = await serverFor({ replies: [{ text: 'It is noon.', fault: { kind: 'after-end' } }] })
    expect((await askServer(dialect, server.url)).text).toBe('It is noon.')
    await server.closed(0)
    expect(server.openSockets).toBe(0)
  })

  test('two end records are one end', async () => {
    const server = await serverFor({ replies: [{ text: 'It is noon.', fault: { kind: 'two-ends' } }] })
    const { text, end } = await askServer(dialect, server.url)
    expect({ text, reason: end?.finishReason }).toEqual({ text: 'It is noon.', reason: 'stop' })
  })
})

test('a filtered reply says so', async () => {
  const server = await serverFor({ replies: [{ text: 'I', finishReason: 'content_filter' }] })
  expect((await askServer('openai', server.url)).end?.finishReason).toBe('content-filter')
})

test.each(['ollama-chat', 'openai'] as const)('%s reports tool calls before the end', async (dialect) => {
  const toolCalls = [
    { name: 'light', arguments: { on: true } },
    { name: 'clock', arguments: {} },
  ]
  const server = await serverFor({ replies: [{ text: '', toolCalls }] })
  const { records, end } = await askServer(dialect, server.url)
  const [reported] = records.filter(({ type }) => type === 'tool-calls')
  expect(reported).toMatchObject({ calls: toolCalls })
  expect(end?.finishReason).toBe('tool-calls')
})

test('tool arguments that are no JSON are handed on as they were written', async () => {
  const server = await serverFor({
    replies: [{ text: '', toolCalls: [{ id: 'a', name: 'light', arguments: '{"on": tr' }] }],
  })
  const { records } = await askServer('openai', server.url)
  expect(records.at(-1)).toEqual({ type: 'tool-calls', calls: [{ id: 'a', name: 'light', arguments: '{"on": tr' }] })
})

test.each([
  ['ollama-chat', null],
  ['ollama-chat', 'null'],
  ['openai', 'null'],
  ['openai', ''],
] as const)('%s: arguments written as %j are none', async (dialect, written) => {
  const server = await serverFor({
    replies: [{ text: '', toolCalls: [{ id: 'a', name: 'clock', arguments: written }] }],
  })
  const { records } = await askServer(dialect, server.url)
  const calls = [{ id: expect.any(String), name: 'clock', arguments: {} }]
  expect(records.at(-1)).toEqual({ type: 'tool-calls', calls })
})
