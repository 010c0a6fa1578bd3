import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/run-cli.ts'
import { fakeTerminal } from '../support/fake-terminal.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colloquy-cli-'))
  await writeFile(join(folder, 'typo.json'), '{ "endpointing": { "minDelay": 3 } }')
  await writeFile(join(folder, 'broken.json'), '{ "apiKey": "sk-secret", ')
  await writeFile(join(folder, 'scenario.json'), '{ "name": "x", "evnts": [] }')
  await writeFile(join(folder, 'not-a-model.gguf'), 'this is no model')
  await writeFile(join(folder, 'a-file'), '')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function attempt(...argv: string[]): Promise<{ code: number; said: string }> {
  const environment = { COLLOQUY_CACHE_DIR: join(folder, 'a-file', 'cache') }
  const terminal = fakeTerminal({ folder, environment, piped: [] })
  const code = await runCli(argv, terminal)
  expect(terminal.printed).toBe('')
  expect(terminal.complained).toMatch(/^colloquy: [^\n]+\n$/)
  expect(terminal.complained).not.toMatch(/\n\s+at |sk-secret/)
  return { code, said: terminal.complained.trim() }
}

describe('wrong usage is one line that helps, and exit code 2', () => {
  it.each<[string, string[], string | RegExp]>([
    ['an unknown command', ['chta'], 'unknown command chta; did you mean chat?'],
    ['a command like no other', ['frobnicate'], 'unknown command frobnicate; see colloquy --help'],
    ['an unknown flag', ['chat', '--jsn'], 'unknown flag --jsn; did you mean --json?'],
    ['an unknown short flag', ['chat', '-x'], 'unknown flag -x; see colloquy chat --help'],
    ['a flag named like a method', ['chat', '--constructor'], 'unknown flag --constructor; see colloquy chat --help'],
    ['a flag without its value', ['chat', '--once'], '--once needs a value: --once TEXT'],
    ['a flag that eats the next', ['chat', '--once', '--json'], '--once needs a value: --once TEXT'],
    ['a value where none belongs', ['chat', '--json=yes'], '--json takes no value'],
    [
      'words that were not quoted',
      ['chat', 'hello'],
      `chat takes no word; to say it once: colloquy chat --once 'hello …'`,
    ],
    [
      'an engine with an address',
      ['chat', '--once', 'hi', '--api-type', 'embedded', '--base-url', 'http://127.0.0.1:4999'],
      '--api-type embedded has no address: leave --base-url out, or choose another --api-type',
    ],
    ['nothing to say', ['chat', '--once', '  '], '--once needs a text with at least one word'],
    [
      'a bad address',
      ['chat', '--base-url', 'localhost:1'],
      '--base-url: baseUrl must be an http:// or https:// address',
    ],
    [
      'a port of another protocol',
      ['chat', '--once', 'hi', '--base-url', 'http://127.0.0.1:25'],
      /^port 25 of baseUrl/,
    ],
    ['an unknown API', ['doctor', '--api-type', 'olama'], /^--api-type: apiType must be one of auto, ollama-chat/],
    ['a file that is not there', ['chat', '--config', 'no.json'], /no\.json: there is no such file; .*--config$/],
    [
      'a key with a typing slip',
      ['chat', '--config', 'typo.json'],
      /unknown key endpointing\.minDelay; did you mean minDelayMs\?/,
    ],
    ['broken JSON', ['chat', '--config', 'broken.json'], /broken\.json: it is not valid JSON/],
    ['model without a verb', ['model'], /say what to do: colloquy model pull/],
    ['an unknown verb', ['model', 'lsit'], 'unknown word lsit; did you mean list?'],
    [
      'an unknown model to pull',
      ['model', 'pull', 'SmolLM2-136M'],
      'unknown model SmolLM2-136M; did you mean SmolLM2-135M?',
    ],
    ['two models to pull', ['model', 'pull', 'a', 'b'], /one model at a time/],
    ['an unknown machine', ['graph', 'conversaton'], 'unknown machine conversaton; did you mean conversation?'],
    ['a depth that is none', ['graph', '--depth', '0'], '--depth must be a whole number from 1'],
    ['no scenario', ['scenario'], /name at least one scenario file/],
    ['a scenario that is not there', ['scenario', 'no.json'], 'no.json cannot be read: there is no such file'],
    ['a scenario that is no JSON', ['scenario', 'broken.json'], /broken\.json is not valid JSON/],
  ])('%s', async (_, argv, expected) => {
    const { code, said } = await attempt(...argv)
    expect(code).toBe(2)
    if (typeof expected === 'string') expect(said).toBe(`colloquy: ${expected}`)
    else expect(said.replace('colloquy: ', '')).toMatch(expected)
  })
})

describe('what was asked for and cannot be had is one line, and exit code 1', () => {
  const embedded = ['chat', '--once', 'hi', '--api-type', 'embedded']

  it('a file that is no GGUF', async () => {
    const { code, said } = await attempt(...embedded, '--model', join(folder, 'not-a-model.gguf'))
    expect(code).toBe(1)
    expect(said).toMatch(/GGUF/)
  })

  it('a GGUF that is not there', async () => {
    const { code, said } = await attempt(...embedded, '--model', join(folder, 'nowhere.gguf'))
    expect(code).toBe(1)
    expect(said).toMatch(/nowhere\.gguf/)
  })

  it('a model nobody knows', async () => {
    const { code, said } = await attempt(...embedded, '--model', 'gpt-9')
    expect(code).toBe(1)
    expect(said).toMatch(/no model called gpt-9 .* SmolLM2-135M/)
  })

  it('a cache folder that cannot be written', async () => {
    const { code, said } = await attempt('model', 'pull')
    expect(code).toBe(1)
    expect(said).toMatch(/cache folder .* cannot be used: .*COLLOQUY_CACHE_DIR/)
  })

  it('a host that does not exist', async () => {
    const { code, said } = await attempt('chat', '--once', 'hi', '--base-url', 'http://no-such-host.invalid')
    expect(code).toBe(1)
    expect(said).toMatch(/no-such-host\.invalid/)
  })

  it('a scenario with an unknown key', async () => {
    const { code, said } = await attempt('scenario', 'scenario.json')
    expect(code).toBe(1)
    expect(said).toMatch(/evnts/)
  })
})
