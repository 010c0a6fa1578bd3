import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runCli } from '../../src/cli/run-cli.ts'
import {
  loopbackServer,
  refusedUrl,
  type LoopbackOptions,
  type LoopbackServer,
} from '../../src/testing/loopback-server.ts'
import { fakeTerminal } from '../support/fake-terminal.ts'

const open: LoopbackServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

async function serve(options: LoopbackOptions): Promise<LoopbackServer> {
  const server = await loopbackServer(options)
  open.push(server)
  return server
}

const Said = z.object({
  text: z.string(),
  heard: z.string(),
  ending: z.string(),
  model: z.string(),
  backend: z.string(),
  timings: z.object({ totalMs: z.number() }),
})
const jsonLines = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line))

describe('colloquy chat --once', () => {
  it('prints the reply on one line and exits 0', async () => {
    const { url } = await serve({ replies: [{ text: 'It is noon.\nReally.' }] })
    const terminal = fakeTerminal()
    expect(await runCli(['chat', '--once', 'What time is it?', '--base-url', url], terminal)).toBe(0)
    expect(terminal.printed).toBe('It is noon. Really.\n')
    expect(terminal.complained).toBe('')
  })

  it.each([
    ['ollama', 'ollama-chat'],
    ['openai', 'openai'],
  ] as const)('--json names backend, model and timings (%s)', async (serves, backend) => {
    const { url } = await serve({ serves, replies: [{ text: 'Hi there.' }] })
    const terminal = fakeTerminal()
    expect(await runCli(['chat', '--once', 'hi', '--json', '--base-url', url], terminal)).toBe(0)
    const [said, ...more] = jsonLines(terminal.printed).map((line) => Said.parse(line))
    expect(said).toMatchObject({ text: 'Hi there.', heard: 'Hi there.', ending: 'finished', model: 'm1', backend })
    expect(more).toEqual([])
  })

  it('to a terminal the words go as they come', async () => {
    const server = await serve({ replies: [{ deltas: ['One ', 'two.'], hold: 1 }] })
    const terminal = fakeTerminal({ isTTY: true })
    const code = runCli(['chat', '--once', 'count', '--base-url', server.url], terminal)
    await terminal.shows('One ')
    expect(terminal.printed).not.toContain('two')
    server.release(0)
    expect(await code).toBe(0)
    expect(terminal.printed).toBe('One two.\n')
  })

  it('Ctrl-C interrupts the reply and ends the command with 1', async () => {
    const server = await serve({ replies: [{ deltas: ['One ', 'two.'], hold: 1 }] })
    const terminal = fakeTerminal({ isTTY: true })
    const code = runCli(['chat', '--once', 'count', '--base-url', server.url], terminal)
    await terminal.shows('One ')
    terminal.interrupt()
    expect(await code).toBe(1)
    expect((await server.closed(0)).closedEarly).toBe(true)
  })

  it('nothing listening at the configured address is one line, exit 1, and never the embedded engine', async () => {
    const terminal = fakeTerminal()
    expect(await runCli(['chat', '--once', 'hi', '--base-url', await refusedUrl()], terminal)).toBe(1)
    expect(terminal.complained).toMatch(
      /^colloquy: Nothing listens at http:\/\/127\.0\.0\.1:\d+: start the server.*\n$/,
    )
    expect(terminal.printed).toBe('')
  })

  it('a model that was named is the one that answers, or nobody', async () => {
    const { url } = await serve({ models: ['m1', 'llama3.2:3b'] })
    const terminal = fakeTerminal()
    expect(await runCli(['chat', '--once', 'hi', '--model', 'm9', '--base-url', url], terminal)).toBe(1)
    expect(terminal.complained).toMatch(/^colloquy: .*m9.*\n$/)
    expect(terminal.printed).toBe('')
  })

  it('a wrong key is told by the setting to correct, and is not shown', async () => {
    const { url } = await serve({ apiKey: 'right' })
    const terminal = fakeTerminal({ environment: { COLLOQUY_BASE_URL: url, COLLOQUY_API_KEY: 'wrong-secret' } })
    expect(await runCli(['chat', '--once', 'hi'], terminal)).toBe(1)
    expect(terminal.complained).toMatch(/apiKey/)
    expect(terminal.complained).not.toContain('wrong-secret')
  })
})

const isOllamaHere = await new Promise<boolean>((resolve) => {
  const socket = connect(11_434, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
  socket.on('connect', () => socket.destroy())
})

describe.skipIf(isOllamaHere)('colloquy chat where no server answers and none was configured', () => {
  it('says so and sets up the embedded engine, or tells in one line why it cannot', async () => {
    const terminal = fakeTerminal({ environment: { COLLOQUY_CACHE_DIR: '/dev/null/cache' } })
    expect(await runCli(['chat', '--once', 'hi'], terminal)).toBe(1)
    const [first, second, ...more] = terminal.complained.split('\n')
    expect(first).toMatch(/^No server answers at http:\/\/127\.0\.0\.1:11434 .* using the embedded engine/)
    expect(second).toMatch(/^colloquy: The cache folder \/dev\/null\/cache cannot be used: .*COLLOQUY_CACHE_DIR/)
    expect(more).toEqual([''])
  })

  it('the doctor says that it is not set up, and fetches nothing', async () => {
    const terminal = fakeTerminal({ environment: { COLLOQUY_CACHE_DIR: '/nowhere/at/all' } })
    expect(await runCli(['doctor'], terminal)).toBe(1)
    expect(terminal.printed).toMatch(/The embedded engine is not set up\.\n +do: Run "colloquy model pull"/)
  })
})

describe('colloquy chat through a pipe', () => {
  it('one line in, one reply out, in order, within one conversation', async () => {
    const server = await serve({ replies: [{ text: 'First.' }, { text: 'Second.' }] })
    const terminal = fakeTerminal({ piped: ['one', '', 'two'] })
    expect(await runCli(['chat', '--base-url', server.url], terminal)).toBe(0)
    expect(terminal.printed).toBe('First.\nSecond.\n')
    const messages = z.array(z.object({ role: z.string(), content: z.string() }))
    const second = messages.parse(server.requests[1]?.body['messages']).filter(({ role }) => role !== 'system')
    expect(second.map(({ content }) => content)).toEqual(['one', 'First.', 'two'])
  })

  it('a turn that fails is told, the next one is taken, and the exit code is 1', async () => {
    const broken = { fault: { kind: 'http', status: 400 } } as const
    const { url } = await serve({ replies: [broken, { text: 'Fine.' }] })
    const terminal = fakeTerminal({ piped: ['one', 'two'] })
    expect(await runCli(['chat', '--json', '--model', 'm1', '--base-url', url], terminal)).toBe(1)
    const endings = jsonLines(terminal.printed).map((line) => z.looseObject({ ending: z.string() }).parse(line).ending)
    expect(endings).toEqual(['failed', 'finished'])
    expect(terminal.complained.split('\n').filter((line) => line !== '')).toHaveLength(1)
  })

  it('/quit leaves what follows unsaid', async () => {
    const server = await serve({})
    const terminal = fakeTerminal({ piped: ['/quit', 'never'] })
    expect(await runCli(['chat', '--base-url', server.url], terminal)).toBe(0)
    expect(server.requests).toHaveLength(0)
  })

  it('/state and /model speak on stderr, so that the replies stay alone', async () => {
    const { url, requests } = await serve({ models: ['m1', 'm2'], replies: [{ text: 'Yes.' }] })
    const terminal = fakeTerminal({ piped: ['/state', '/model m2', 'hi', '/model m3', '/wat', 'still there?'] })
    expect(await runCli(['chat', '--base-url', url], terminal)).toBe(1)
    expect(terminal.printed).toBe('Yes.\nYes.\n')
    expect(requests.map(({ model }) => model)).toEqual(['m2', 'm2'])
    expect(terminal.complained).toBe(
      [
        `"idle", 0 turns so far, with ${url}`,
        'Talking with m2; the conversation begins anew.',
        'colloquy: there is no model m3; there are m1, m2',
        'colloquy: unknown command /wat; there are /model NAME, /state and /quit',
        '',
      ].join('\n'),
    )
  })
})

describe('colloquy chat at a terminal', () => {
  it('Ctrl-C interrupts the reply first and leaves on the second', async () => {
    const server = await serve({ replies: [{ deltas: ['Once ', 'upon.'], hold: 1 }] })
    const terminal = fakeTerminal({ isTTY: true })
    const code = runCli(['chat', '--base-url', server.url], terminal)
    terminal.input.write('a story\n')
    await terminal.shows('Once ')
    terminal.interrupt()
    await terminal.shows('Once  …\n> ')
    terminal.interrupt()
    expect(await code).toBe(0)
  })

  it('a line typed into a reply interrupts it and is answered', async () => {
    const server = await serve({ replies: [{ deltas: ['Once ', 'upon.'], hold: 1 }, { text: 'Certainly.' }] })
    const terminal = fakeTerminal({ isTTY: true })
    const code = runCli(['chat', '--base-url', server.url], terminal)
    terminal.input.write('a story\n')
    await terminal.shows('Once ')
    terminal.input.write('another one\n')
    await terminal.shows('Certainly.')
    expect((await server.closed(0)).closedEarly).toBe(true)
    terminal.input.end()
    expect(await code).toBe(0)
  })
})
