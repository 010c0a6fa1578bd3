import { describe, expect, test } from 'vitest'
import type { ChatMessage, ChatRequest } from '../../src/backends/contract.ts'
import { toEngineMessages } from '../../src/backends/embedded/engine-prompt.ts'
import { promptOf } from '../../src/backends/ollama/generate.ts'
import { mergeNeighbours } from '../../src/backends/openai/chat.ts'
import { askServer, closeServersAfterEach, serverFor } from './ask.ts'

closeServersAfterEach()

const history: ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'hello' },
  { role: 'assistant', content: 'Hi.' },
  { role: 'user', content: 'what time\nis it' },
  { role: 'user', content: 'in Rome' },
]
const light = {
  name: 'light',
  description: 'Switches the light.',
  parameters: { type: 'object', properties: { on: { type: 'boolean' } } },
}

async function bodyOf(dialect: Parameters<typeof askServer>[0], request: ChatRequest) {
  const server = await serverFor()
  await askServer(dialect, server.url, request)
  return server.requests[0]?.body
}

describe('ollama-chat', () => {
  test('asks for a bounded reply, without thinking, without silent truncation, and names no window of its own', async () => {
    expect(await bodyOf('ollama-chat', { model: 'm1', messages: history })).toEqual({
      model: 'm1',
      messages: history,
      stream: true,
      think: false,
      truncate: false,
      shift: false,
      options: { num_predict: 512 },
    })
  })

  test('sends what was asked for under the names of the server', async () => {
    const body = await bodyOf('ollama-chat', {
      model: 'm1',
      messages: history.slice(0, 2),
      maxTokens: 100,
      contextTokens: 8_192,
      temperature: 0,
      topP: 0.9,
      seed: 7,
      stop: ['END'],
      think: true,
      keepAlive: '10m',
      tools: [light],
    })
    expect(body).toMatchObject({
      think: true,
      keep_alive: '10m',
      tools: [{ type: 'function', function: light }],
      options: { num_predict: 100, num_ctx: 8_192, temperature: 0, top_p: 0.9, seed: 7, stop: ['END'] },
    })
  })

  test('a tool call and its result keep together', async () => {
    const messages: ChatMessage[] = [
      { role: 'user', content: 'light on' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'c1', name: 'light', arguments: { on: true } }] },
      { role: 'tool', content: 'done', toolCallId: 'c1', toolName: 'light' },
    ]
    expect((await bodyOf('ollama-chat', { model: 'm1', messages }))?.['messages']).toEqual([
      { role: 'user', content: 'light on' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id: 'c1', function: { name: 'light', arguments: { on: true } } }],
      },
      { role: 'tool', content: 'done', tool_call_id: 'c1', tool_name: 'light' },
    ])
  })
})

describe('functions that may not be called', () => {
  const request: ChatRequest = { model: 'm1', messages: history, tools: [light], toolChoice: 'none' }

  test('openai keeps them at the front of the prompt, byte for byte, and says so', async () => {
    const { tool_choice, ...body } = (await bodyOf('openai', request)) ?? {}
    expect(tool_choice).toBe('none')
    expect(body).toEqual(await bodyOf('openai', { ...request, toolChoice: 'auto' }))
    expect(await bodyOf('openai', { model: 'm1', messages: history, toolChoice: 'none' })).not.toHaveProperty(
      'tool_choice',
    )
  })

  test('ollama-chat, which cannot say so, leaves them away', async () => {
    expect(await bodyOf('ollama-chat', request)).not.toHaveProperty('tools')
    expect(await bodyOf('ollama-chat', { ...request, toolChoice: 'auto' })).toHaveProperty('tools')
  })

  test('the embedded engine, which calls none, answers', () => {
    expect(toEngineMessages(request)).toEqual(history)
    expect(() => toEngineMessages({ ...request, toolChoice: 'auto' })).toThrow(/calls no tools/)
  })
})

describe('ollama-generate', () => {
  test('writes turns as lines, the system prompt apart', async () => {
    expect(await bodyOf('ollama-generate', { model: 'm1', messages: history })).toMatchObject({
      system: 'Be brief.',
      prompt: 'User: hello\nAssistant: Hi.\nUser: what time is it\nUser: in Rome\nAssistant:',
      options: { num_predict: 512, stop: ['\nUser:'] },
    })
  })

  test('a later prompt begins with the earlier one', () => {
    expect(promptOf(history).startsWith(promptOf(history.slice(0, 2)))).toBe(true)
  })
})

describe('openai', () => {
  test('asks for usage in the stream, and merges neighbours of one role', async () => {
    expect(await bodyOf('openai', { model: 'm1', messages: history, maxTokens: 64 })).toEqual({
      model: 'm1',
      messages: [...history.slice(0, 3), { role: 'user', content: 'what time\nis it\nin Rome' }],
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 64,
    })
  })

  test('tool calls are written as text and never merged', async () => {
    const messages: ChatMessage[] = [
      { role: 'user', content: 'both' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'c1', name: 'light', arguments: { on: true } }] },
      { role: 'tool', content: 'done', toolCallId: 'c1' },
      { role: 'tool', content: 'done', toolCallId: 'c2' },
    ]
    expect(mergeNeighbours(messages)).toEqual(messages)
    const body = await bodyOf('openai', { model: 'm1', messages, tools: [light] })
    expect(body).toMatchObject({
      tools: [{ type: 'function', function: light }],
      messages: [
        {},
        { tool_calls: [{ id: 'c1', type: 'function', function: { name: 'light', arguments: '{"on":true}' } }] },
        { role: 'tool', tool_call_id: 'c1' },
        { role: 'tool', tool_call_id: 'c2' },
      ],
    })
  })
})

test.each(['ollama-chat', 'ollama-generate', 'openai'] as const)(
  '%s sends the same request as the same bytes',
  async (dialect) => {
    const server = await serverFor()
    const request: ChatRequest = { model: 'm1', messages: history, temperature: 0, seed: 1 }
    await askServer(dialect, server.url, request)
    await askServer(dialect, server.url, request)
    const [one, two] = server.requests.map(({ body }) => JSON.stringify(body))
    expect(one).toBe(two)
  },
)
