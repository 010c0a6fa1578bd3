import { describe, expect, test } from 'vitest'
import { Config, type ConfigInput } from '../../src/config/config.ts'
import { createBackendConnection } from '../../src/connecting/backend-connection.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { diagnose } from '../../src/diagnosing/diagnose.ts'
import { refusedUrl, type LoopbackFault, type LoopbackOptions } from '../../src/testing/loopback-server.ts'
import { closeServersAfterEach, serverFor } from './ask.ts'

closeServersAfterEach()

function diagnosisOf(input: ConfigInput & { baseUrl: string }) {
  const settings = Config.parse(input)
  const { apiType, apiKey, limits, timeouts } = settings
  const connection = createBackendConnection({
    baseUrl: input.baseUrl,
    apiType,
    limits,
    timeouts,
    clock: systemClock,
    ...(apiKey === undefined ? {} : { apiKey }),
  })
  return diagnose(connection, settings, systemClock)
}

const at = async (options: LoopbackOptions, more: object = {}) => {
  const server = await serverFor(options)
  return { server, diagnosis: await diagnosisOf({ baseUrl: server.url, ...more }) }
}

describe('diagnose', () => {
  test('goes through every step of a server that works', async () => {
    const { server, diagnosis } = await at({ models: ['llama3.2:3b'], version: '0.33.0' })
    expect(diagnosis).toMatchObject({ ok: true, origin: server.url, backend: 'ollama-chat', model: 'llama3.2:3b' })
    expect(diagnosis.steps.map(({ name, ok }) => [name, ok])).toEqual(
      [
        'dns',
        'tcp',
        'http',
        'api',
        'version',
        'models',
        'model',
        'loaded',
        'context',
        'parallelism',
        'first-token',
      ].map((name) => [name, true]),
    )
    const step = (wanted: string) => diagnosis.steps.find(({ name }) => name === wanted)
    expect(step('version')?.detail).toContain('0.33.0')
    expect(step('context')?.detail).toContain('4096')
    expect(step('parallelism')?.next).toContain('OLLAMA_NUM_PARALLEL=3')
    expect(step('first-token')?.ms).toBeGreaterThanOrEqual(0)
  })

  test('OpenAI servers too', async () => {
    const { diagnosis } = await at({ serves: 'vllm', models: ['qwen'] })
    expect(diagnosis).toMatchObject({ ok: true, backend: 'openai', model: 'qwen' })
  })

  test('nothing listens: says to start the server', async () => {
    const { ok, steps } = await diagnosisOf({ baseUrl: await refusedUrl() })
    expect(ok).toBe(false)
    expect(steps.at(-1)).toMatchObject({ name: 'tcp', ok: false, next: expect.stringContaining('ollama serve') })
  })

  test('a name that is not found is named', async () => {
    const { steps } = await diagnosisOf({ baseUrl: 'http://no-such-host.invalid' })
    expect(steps.at(-1)).toMatchObject({
      name: 'dns',
      ok: false,
      detail: expect.stringContaining('no-such-host.invalid'),
    })
  })

  test.each(['auto', 'ollama-chat', 'openai'])('a key is wanted (apiType %s): names the setting', async (apiType) => {
    const { diagnosis } = await at({ apiKey: 'sesame' }, { apiType })
    expect(diagnosis.steps.at(-1)).toMatchObject({ name: 'api', ok: false, next: expect.stringContaining('apiKey') })
    expect(JSON.stringify(diagnosis)).not.toContain('sesame')
  })

  test('a website is not a model server', async () => {
    const { diagnosis } = await at({ serves: 'website' })
    expect(diagnosis.steps.at(-1)).toMatchObject({
      name: expect.any(String),
      ok: false,
      next: expect.stringContaining('baseUrl'),
    })
  })

  test('no model at all: says how to pull one', async () => {
    const { diagnosis } = await at({ models: [] })
    expect(diagnosis.steps.at(-1)).toMatchObject({
      name: 'models',
      ok: false,
      next: expect.stringContaining('ollama pull'),
    })
  })

  test('the default model is missing: says how to pull it', async () => {
    const { diagnosis } = await at({ models: ['m1'] }, { defaultModel: 'llama3.2:1b' })
    expect(diagnosis.steps.at(-1)).toMatchObject({
      name: 'model',
      ok: false,
      next: expect.stringContaining('ollama pull llama3.2:1b'),
    })
  })

  test('a model that is not loaded is said to make the first reply wait', async () => {
    const { diagnosis } = await at({ models: [{ name: 'm1', loaded: false }] })
    expect(diagnosis.steps.find(({ name }) => name === 'loaded')).toMatchObject({
      ok: true,
      next: expect.stringContaining('keepAlive'),
    })
  })

  const faults: [LoopbackFault, string][] = [
    [{ kind: 'http', status: 500 }, 'log'],
    [{ kind: 'http', status: 503 }, 'OLLAMA_NUM_PARALLEL'],
    [{ kind: 'http', status: 429 }, 'limit'],
    [{ kind: 'context-overflow' }, 'contextTokens'],
    [{ kind: 'redirect', to: 'http://127.0.0.1:9/' }, 'baseUrl'],
    [{ kind: 'no-end' }, 'log'],
    [{ kind: 'cut' }, 'proxy'],
    [{ kind: 'error-record' }, 'memory'],
    [{ kind: 'html' }, 'baseUrl'],
    [{ kind: 'reset' }, 'log'],
  ]
  test.each(faults)('the first token fails with %j: the next step is said', async (fault, word) => {
    const { diagnosis } = await at({ replies: [{ fault }] })
    expect(diagnosis.ok).toBe(false)
    expect(diagnosis.steps.at(-1)).toMatchObject({
      name: 'first-token',
      ok: false,
      next: expect.stringContaining(word),
    })
  })
})
