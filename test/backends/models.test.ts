import { describe, expect, test } from 'vitest'
import { openBackend } from '../../src/backends/open-backend.ts'
import { closeServersAfterEach, facts, serverFor } from './ask.ts'

closeServersAfterEach()

const never = () => new AbortController().signal

describe('models', () => {
  test('of Ollama: which are loaded, with the window really allocated, and which can chat', async () => {
    const server = await serverFor({
      models: [
        { name: 'llama3.2:3b', contextTokens: 8_192, sizeBytes: 2_019_393_189 },
        { name: 'nomic-embed-text:latest', loaded: false, capabilities: ['embedding'] },
      ],
    })
    expect(await openBackend('ollama-chat', { baseUrl: server.url }).models(never())).toEqual([
      { name: 'llama3.2:3b', loaded: true, contextTokens: 8_192, sizeBytes: 2_019_393_189 },
      { name: 'nomic-embed-text:latest', loaded: false, chat: false, sizeBytes: 2_000_000_000 },
    ])
    expect(server.seen.every((line) => line.startsWith('GET '))).toBe(true)
  })

  test('of vLLM: what it serves is loaded, with its window', async () => {
    const server = await serverFor({ serves: 'vllm', models: [{ name: 'qwen', contextTokens: 32_768 }] })
    const backend = openBackend('openai', { baseUrl: server.url })
    expect(await backend.models(never())).toEqual([{ name: 'qwen', loaded: true, contextTokens: 32_768 }])
    expect(await backend.describe('qwen', never())).toMatchObject({ contextTokens: 32_768 })
  })

  test('of llama.cpp: its window is asked of /props', async () => {
    const server = await serverFor({ serves: 'llama.cpp', models: [{ name: 'smol', contextTokens: 2_048 }] })
    const backend = openBackend('openai', { baseUrl: server.url })
    expect(await backend.describe('smol', never())).toEqual({
      name: 'smol',
      loaded: true,
      contextTokens: 2_048,
      trainedContextTokens: 131_072,
    })
  })

  test('a server without any model has an empty list', async () => {
    const server = await serverFor({ models: [] })
    for (const dialect of ['ollama-chat', 'openai'] as const) {
      expect(await openBackend(dialect, { baseUrl: server.url }).models(never())).toEqual([])
    }
  })
})

describe('one model in detail', () => {
  test('tells the window allocated and the one trained for', async () => {
    const server = await serverFor({ models: [{ name: 'm1', contextTokens: 4_096, trainedContextTokens: 131_072 }] })
    expect(await openBackend('ollama-generate', { baseUrl: server.url }).describe('m1', never())).toEqual({
      name: 'm1',
      loaded: true,
      chat: true,
      contextTokens: 4_096,
      trainedContextTokens: 131_072,
    })
  })

  test.each(['ollama-chat', 'openai'] as const)('%s: a model that is not there is model-missing', async (dialect) => {
    const server = await serverFor()
    const asked = openBackend(dialect, { baseUrl: server.url }).describe('other', never())
    expect(facts(await asked.catch((error: unknown) => error))).toMatchObject({ code: 'model-missing' })
  })
})

test('a list that is something else is a protocol error', async () => {
  const server = await serverFor({ serves: 'lm-studio' })
  const asked = openBackend('ollama-chat', { baseUrl: server.url }).models(never())
  expect(facts(await asked.catch((error: unknown) => error))).toEqual({ code: 'protocol', fault: 'bad-record' })
})
