import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LlmError } from '../../src/backends/contract.ts'
import { loadConfig, type ConfigSources } from '../../src/config/load-config.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colloquy-config-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const write = (content: unknown, name = 'colloquy.json') =>
  writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))

async function refusal(sources: ConfigSources): Promise<string> {
  const error: unknown = await loadConfig({ folder, ...sources }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof LlmError)) throw new Error('nothing was refused', { cause: error })
  expect(error.code).toBe('config')
  expect(error.message).not.toContain('\n')
  return error.message
}

describe('three sources of one configuration', () => {
  it('nothing said gives the defaults', async () => {
    const settings = await loadConfig({ folder })
    expect(settings.endpointing.minDelayMs).toBe(500)
    expect(settings.baseUrl).toBeUndefined()
  })

  it('code wins over a variable, a variable over the file, key by key', async () => {
    await write({ endpointing: { minDelayMs: 1, maxDelayMs: 2, noVadDelayMs: 3 }, language: 'de' })
    const environment = { COLLOQUY_ENDPOINTING_MIN_DELAY_MS: '10', COLLOQUY_ENDPOINTING_MAX_DELAY_MS: '20' }
    const settings = await loadConfig({ folder, environment, code: { endpointing: { minDelayMs: 100 } } })
    expect(settings.endpointing).toMatchObject({ minDelayMs: 100, maxDelayMs: 20, noVadDelayMs: 3 })
    expect(settings.language).toBe('de')
  })

  it('a variable is read as the type of its setting', async () => {
    const environment = {
      COLLOQUY_BASE_URL: 'http://127.0.0.1:8080/v1',
      COLLOQUY_CACHE_ENABLED: 'true',
      COLLOQUY_SPECULATION_ENABLED: 'auto',
      COLLOQUY_GENERATION_KEEP_ALIVE: '300',
      COLLOQUY_ASSISTANT_NAMES: 'Ada, Grace',
      COLLOQUY_FALLBACK_MODELS: '["a",{"model":"b","baseUrl":"http://other:1234"}]',
      COLLOQUY_SYSTEM_PROMPT: '',
      COLLOQUY_CACHE_DIR: '/tmp',
      COLLOQUY_DEBUG: '1',
      UNRELATED: 'x',
    }
    const settings = await loadConfig({ folder, environment })
    expect(settings).toMatchObject({
      baseUrl: 'http://127.0.0.1:8080/v1',
      cache: { enabled: true },
      speculation: { enabled: 'auto' },
      generation: { keepAlive: 300 },
      assistantNames: ['Ada', 'Grace'],
      fallback: { models: ['a', { model: 'b', baseUrl: 'http://other:1234' }] },
    })
    expect(settings.systemPrompt).toMatch(/voice assistant/)
  })

  it('a file may name its JSON schema', async () => {
    await write({ $schema: './somewhere.json', language: 'fr' })
    expect((await loadConfig({ folder })).language).toBe('fr')
  })

  it('COLLOQUY_CONFIG names the file, and --config wins over it', async () => {
    await write({ language: 'fr' }, 'one.json')
    await write({ language: 'it' }, 'two.json')
    const environment = { COLLOQUY_CONFIG: 'one.json' }
    expect((await loadConfig({ folder, environment })).language).toBe('fr')
    expect((await loadConfig({ folder, environment, file: 'two.json' })).language).toBe('it')
  })
})

describe('what is wrong is said in one line', () => {
  it('names the key and what it may be', async () => {
    await write({ endpointing: { minDelayMs: -5 } })
    expect(await refusal({})).toBe('colloquy.json: endpointing.minDelayMs must be a whole number from 0 to 5000')
  })

  it('names the variable', async () => {
    const environment = { COLLOQUY_ENDPOINTING_MIN_DELAY_MS: 'soon' }
    expect(await refusal({ environment })).toBe(
      'COLLOQUY_ENDPOINTING_MIN_DELAY_MS: endpointing.minDelayMs must be a whole number from 0 to 5000',
    )
  })

  it.each([
    [{ endpointing: { minDelayMS: 5 } }, 'unknown key endpointing.minDelayMS; did you mean minDelayMs?'],
    [{ endpoint: {} }, /^colloquy.json: unknown key endpoint;/],
    [{ defualtModel: 'x' }, 'unknown key defualtModel; did you mean defaultModel?'],
    [{ apiType: 'olama' }, 'apiType must be one of auto, ollama-chat, ollama-generate, openai, embedded'],
    [{ baseUrl: 'localhost:11434' }, 'baseUrl must be an http:// or https:// address'],
    [{ speculation: { enabled: 'yes' } }, 'speculation.enabled must be auto, or true or false'],
    [{ fallback: { models: ['a', 3] } }, /fallback\.models\[1\] must be a text that is not empty, or an object with/],
    [{ context: { lowWater: 2 } }, 'context.lowWater must be a number from 0.05 to 1'],
  ])('%j is refused', async (content, message) => {
    await write(content)
    const said = await refusal({})
    if (typeof message === 'string') expect(said).toBe(`colloquy.json: ${message}`)
    else expect(said).toMatch(message)
  })

  it('a mistyped variable is not silently ignored', async () => {
    expect(await refusal({ environment: { COLLOQUY_BASEURL: 'http://x' } })).toBe(
      'unknown variable COLLOQUY_BASEURL; did you mean COLLOQUY_BASE_URL?',
    )
  })

  it('a file that was named must be there', async () => {
    expect(await refusal({ file: 'gone.json' })).toMatch(/gone\.json: there is no such file; .*--config/)
  })

  it('a folder is no configuration file', async () => {
    expect(await refusal({ file: '.' })).toMatch(/it cannot be read \(EISDIR\)/)
  })

  it('says in which line the JSON breaks', async () => {
    await write('{\n  "language": "en",\n  oops\n}')
    expect(await refusal({})).toMatch(/it is not valid JSON \(line 3\)/)
  })

  it('a list is no configuration', async () => {
    await write('[]')
    expect(await refusal({})).toMatch(/it must hold one JSON object/)
  })
})

describe('a secret stays one', () => {
  const secret = 'sk-do-not-show-me'
  it.each([
    ['a key of the wrong type', { apiKey: [secret] }],
    ['a key in the wrong place', { baseUrl: secret }],
    ['a key without its quotes', `{"apiKey": ${secret}}`],
    ['broken JSON around it', `{"apiKey": "${secret}" oops`],
  ])('%s is not shown', async (_, content) => {
    await write(content)
    expect(await refusal({})).not.toContain(secret.slice(0, 6))
  })
})
