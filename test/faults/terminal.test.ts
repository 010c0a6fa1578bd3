import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commands, runCli } from '../../src/cli/run-cli.ts'
import { plain } from '../../src/cli/plain.ts'
import { showProgress } from '../../src/cli/show-progress.ts'
import { beginning, chainLine, sealSnapshot } from '../../src/persistence/record.ts'
import { SqliteStore } from '../../src/persistence/sqlite/store.ts'
import { loopbackServer, type LoopbackServer } from '../../src/testing/loopback-server.ts'
import { fakeTerminal, type FakeTerminal } from '../support/fake-terminal.ts'
import { actingIn, hostile, hostileFile, hostileWord } from '../support/hostile.ts'

const hostileModel = `m${hostileWord}`
const servers: LoopbackServer[] = []
/** `words` says it, `errors` refuses with it, `names` is called by it, `breaks` breaks off with it. */
const urls = { words: '', errors: '', names: '', breaks: '', elsewhere: '' }
let folder = ''

async function keep(file: string): Promise<void> {
  const store = new SqliteStore({ file, readOnly: false })
  await store.open()
  for (const conversationId of ['default', hostileWord]) {
    const said = chainLine(beginning, { type: 'CALLER_TURN_ENDED', turnId: 'turn-1', text: hostile, speaker: hostile })
    const heard = chainLine(said, { type: 'RESPONSE_FINISHED', turnId: 'turn-1', heard: hostile, [hostile]: hostile })
    const snapshot = sealSnapshot(conversationId, heard, { turns: 1, replies: 1 }, undefined)
    await store.commit({ conversationId, snapshot, lines: [said, heard] })
  }
  await store.commit({ conversationId: `bad${hostileWord}`, snapshot: hostile, lines: [] })
  await store.close()
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colloquy-hostile-'))
  const words = { replies: [{ deltas: [...hostile], text: hostile }] }
  const refusal = { kind: 'http' as const, status: 400, body: { error: hostile } }
  const broken = { kind: 'error-record' as const, afterDeltas: 1, message: hostile }
  const redirect = { kind: 'redirect' as const, to: `http://evil.example/${encodeURIComponent(hostileWord)}` }
  const options = {
    words,
    errors: { replies: [{ fault: refusal }] },
    names: { models: [hostileModel], version: hostile },
    breaks: { replies: [{ text: hostile, fault: broken }] },
    elsewhere: { replies: [{ fault: redirect }] },
  }
  for (const name of ['words', 'errors', 'names', 'breaks', 'elsewhere'] as const) {
    const server = await loopbackServer(options[name])
    servers.push(server)
    urls[name] = server.url
  }
  await mkdir(join(folder, hostileFile))
  await keep(join(folder, hostileFile, 'kept.db'))
  await writeFile(join(folder, 'config.json'), JSON.stringify({ [hostile]: 1 }))
  await writeFile(
    join(folder, 'values.json'),
    JSON.stringify({ apiType: 'openai', [`b${hostile}`]: { [hostile]: hostile } }),
  )
  await writeFile(join(folder, 'broken.json'), `{"a":${hostileWord}}`)
  const reply = { text: hostile.slice(0, 300), model: 'm1' }
  const detected = 'SPEECH_DETECTED'
  const timeline = [[0, detected, hostile]]
  const played = {
    name: hostile,
    spec: hostile,
    backend: { replies: [reply] },
    timeline,
    expect: [{ heard: hostile }],
  }
  await writeFile(join(folder, `scenario${hostileFile}.json`), JSON.stringify(played))
  await writeFile(join(folder, 'unknown-key.json'), JSON.stringify({ name: hostile, [hostile]: hostile }))
})
afterAll(async () => {
  for (const server of servers) await server.close()
  await rm(folder, { recursive: true, force: true })
})

interface Case {
  what: string
  argv: () => string[]
  piped?: string[]
  environment?: () => Record<string, string>
  /** Runs until Ctrl-C. */
  serves?: true
  /** Nothing of it is repeated as it was written. */
  isSilent?: true
}

const store = () => ['--store', join(hostileFile, 'kept.db')]
const config = (file: string): Case => ({
  what: `a configuration file, ${plain(file)}`,
  argv: () => ['chat', '--config', file],
})
const asked = (name: keyof typeof urls) => ['--base-url', urls[name]]
const cache = () => ({ COLLOQUY_CACHE_DIR: join(folder, 'config.json', hostileFile) })

const cases: Case[] = [
  { what: 'an unknown command', argv: () => [hostileWord] },
  { what: 'an unknown flag', argv: () => [`--${hostileWord}`] },
  // Every command, those that are yet to come too.
  ...commands.flatMap(({ name }): Case[] => [
    { what: `${name}: a word that it does not know`, argv: () => [name, hostileWord, hostileWord] },
    { what: `${name}: a flag that it does not know`, argv: () => [name, `--${hostileWord}`] },
  ]),
  config('config.json'),
  config('values.json'),
  { ...config('broken.json'), isSilent: true },
  config(hostileFile),
  {
    what: 'a variable of the environment',
    argv: () => ['doctor'],
    environment: () => ({ [`COLLOQUY_${hostileWord}`]: hostileWord }),
  },
  { what: 'an address', argv: () => ['doctor', '--base-url', `http://${hostileWord}/`], isSilent: true },
  { what: 'chat: a reply', argv: () => ['chat', '--once', 'hi', ...asked('words')] },
  { what: 'chat: a reply as JSON', argv: () => ['chat', '--once', 'hi', '--json', ...asked('words')] },
  {
    what: 'chat: words and commands',
    argv: () => ['chat', ...asked('words')],
    piped: [hostileWord, '/state', `/${hostileWord}`, `/model ${hostileWord}`],
  },
  { what: 'chat: a refusal', argv: () => ['chat', '--once', 'hi', ...asked('errors')], isSilent: true },
  {
    what: 'chat: a refusal as JSON',
    argv: () => ['chat', '--once', 'hi', '--json', ...asked('errors')],
    isSilent: true,
  },
  { what: 'chat: an error in mid-reply', argv: () => ['chat', '--once', 'hi', ...asked('breaks')] },
  { what: 'chat: a redirect', argv: () => ['chat', '--once', 'hi', ...asked('elsewhere')], isSilent: true },
  {
    what: 'chat: model names',
    argv: () => ['chat', ...asked('names')],
    piped: ['hi', '/state', '/model no', `/model ${hostileModel}`],
  },
  {
    what: 'chat: a model that is not there',
    argv: () => ['chat', '--once', 'hi', '--model', hostileWord, ...asked('names')],
  },
  { what: 'chat: a kept conversation', argv: () => ['chat', '--once', 'hi', ...store(), ...asked('words')] },
  { what: 'chat: a store of another kind', argv: () => ['chat', '--store', `scenario${hostileFile}.json`] },
  { what: 'doctor: names and version', argv: () => ['doctor', ...asked('names')] },
  { what: 'doctor: names and version as JSON', argv: () => ['doctor', '--json', ...asked('names')] },
  { what: 'doctor: a refusal', argv: () => ['doctor', ...asked('errors')], isSilent: true },
  { what: 'start: a model name', argv: () => ['start', '--port', '0', ...asked('names')], serves: true },
  {
    what: 'start: a model name as JSON',
    argv: () => ['start', '--port', '0', '--json', ...store(), ...asked('names')],
    serves: true,
  },
  {
    what: 'start: a folder that cannot be used',
    argv: () => ['start', '--port', '0', '--api-type', 'embedded'],
    environment: cache,
  },
  { what: 'model list: a folder', argv: () => ['model', 'list', '--json'], environment: cache },
  { what: 'model pull: a folder that cannot be used', argv: () => ['model', 'pull'], environment: cache },
  { what: 'model pull: a name', argv: () => ['model', 'pull', hostileWord] },
  ...['list', 'export'].map((verb) => ({
    what: `conversations ${verb}`,
    argv: () => ['conversations', verb, ...store()],
  })),
  { what: 'conversations list as JSON', argv: () => ['conversations', 'list', '--json', ...store()] },
  { what: 'conversations show', argv: () => ['conversations', 'show', hostileWord, ...store()] },
  { what: 'conversations show as JSON', argv: () => ['conversations', 'show', 'default', '--json', ...store()] },
  { what: 'conversations show: damaged', argv: () => ['conversations', 'show', `bad${hostileWord}`, ...store()] },
  { what: 'conversations show: unknown', argv: () => ['conversations', 'show', `z${hostileWord}`, ...store()] },
  {
    what: 'conversations delete',
    argv: () => ['conversations', 'delete', `bad${hostileWord}`, `z${hostileWord}`, ...store()],
  },
  { what: 'graph', argv: () => ['graph', '--depth', hostileWord], isSilent: true },
  { what: 'scenario', argv: () => ['scenario', `scenario${hostileFile}.json`] },
  { what: 'scenario as JSON', argv: () => ['scenario', '--json', `scenario${hostileFile}.json`] },
  { what: 'scenario: an unknown key', argv: () => ['scenario', 'unknown-key.json'] },
  { what: 'scenario: no JSON', argv: () => ['scenario', 'broken.json'] },
]

async function ran({ argv, piped = [], environment, serves }: Case, isTTY: boolean): Promise<FakeTerminal> {
  const terminal = fakeTerminal({ folder, piped, isTTY, environment: environment?.() ?? {} })
  const running = runCli(argv(), terminal)
  if (serves) {
    await terminal.shows('127.0.0.1')
    terminal.interrupt()
  }
  await running
  return terminal
}

describe('nothing from outside drives a terminal', () => {
  it.each(cases.map((one) => [one.what, one] as const))('row 82: %s does nothing to a terminal', async (_, one) => {
    for (const isTTY of [true, false]) {
      const { printed, complained } = await ran(one, isTTY)
      expect(printed + complained).toMatch(one.isSilent ? /./u : /x(?:␛|\\u001b)\[2J/u)
      expect(actingIn(printed)).toEqual([])
      expect(actingIn(complained)).toEqual([])
    }
  })

  it.each([true, false])('row 82: progress is drawn over by our own sequences alone (at a terminal: %s)', (isTTY) => {
    const terminal = fakeTerminal({ isTTY })
    const { onProgress, end } = showProgress(terminal.errors)
    const progress = { what: 'model', phase: 'downloading', source: hostile } as const
    onProgress(progress)
    onProgress({ ...progress, receivedBytes: 10, totalBytes: 100 })
    onProgress({ ...progress, gaveUp: hostile })
    end()
    expect(terminal.complained).toContain('x␛[2J')
    expect(terminal.complained.includes('\u001B[K')).toBe(isTTY)
    expect(actingIn(terminal.complained)).toEqual([])
  })
})
