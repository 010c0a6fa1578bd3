import { createServer } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runCli } from '../../src/cli/run-cli.ts'
import { loopbackServer, refusedUrl, type LoopbackServer } from '../../src/testing/loopback-server.ts'
import { fakeTerminal } from '../support/fake-terminal.ts'

let folder = ''
let ollama: LoopbackServer
let refused = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colloquy-start-'))
  await writeFile(join(folder, 'a-file'), '')
  ollama = await loopbackServer({ models: ['small', 'other:latest'], replies: [{ text: 'Yes.' }] })
  refused = await refusedUrl()
})
afterAll(async () => {
  await ollama.close()
  await rm(folder, { recursive: true, force: true })
})

const Ready = z.object({
  url: z.string(),
  port: z.number(),
  answering: z.looseObject({}),
  inspector: z.string().optional(),
})

/** Starts, waits until it is ready, looks, and leaves by Ctrl-C. */
async function start(argv: string[], look: (ready: z.output<typeof Ready>) => Promise<void> = async () => {}) {
  const environment = { COLLOQUY_CACHE_DIR: join(folder, 'a-file', 'cache') }
  const terminal = fakeTerminal({ folder, environment, piped: [] })
  const running = runCli(['start', '--json', ...argv], terminal)
  let code: number | undefined
  void running.then((ended) => (code = ended))
  await expect.poll(() => code ?? terminal.printed, { timeout: 15_000 }).toBeTruthy()
  if (code === undefined) {
    try {
      await look(Ready.parse(JSON.parse(terminal.printed)))
    } finally {
      terminal.interrupt()
    }
  }
  return { code: await running, printed: terminal.printed, complained: terminal.complained }
}

const on = (...argv: string[]) => ['--base-url', ollama.url, '--port', '0', ...argv]

describe('colloquy start', () => {
  it('serves the configured server, and Ctrl-C closes cleanly', async () => {
    const { code } = await start(on('--model', 'small'), async ({ url, answering }) => {
      expect(answering).toMatchObject({ kind: 'configured', model: 'small', isLanguageModel: true })
      expect(await (await fetch(url)).text()).toContain('<title>colloquy</title>')
      const response = await fetch(`${url}conversations/a/ask`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"text":"Is it so?"}',
      })
      expect(await response.text()).toContain('"heard":"Yes."')
    })
    expect(code).toBe(0)
  })

  it('says aloud that the port is taken, and takes the next free one', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = z.object({ port: z.number() }).parse(other.address())
    const { complained } = await start(
      ['--base-url', ollama.url, '--model', 'small', '--port', String(port)],
      async (ready) => {
        expect(ready.port).toBeGreaterThan(port)
      },
    )
    expect(complained).toMatch(`Port ${port} is taken: using `)
    other.close()
  })

  it('where neither server nor engine can be had a scripted responder answers, and says what it is', async () => {
    const { code, complained } = await start(['--port', '0'], async ({ answering, url }) => {
      expect(answering).toMatchObject({ kind: 'scripted', isLanguageModel: false })
      expect(String(answering['notice'])).toMatch(
        /not a language model.*cache folder.*ollama pull.*colloquy model pull/,
      )
      expect(await (await fetch(`${url}healthz`)).json()).toMatchObject({ answering })
    })
    expect(code).toBe(0)
    expect(complained).toMatch(/No server answers at .*: using the embedded engine/)
  })

  it('serves the inspector when asked', async () => {
    await start(on('--model', 'small', '--inspect'), async ({ inspector }) => {
      expect((await fetch(String(inspector))).status).toBe(200)
    })
  })

  it.each<[string, () => string[], number, RegExp]>([
    [
      'a dead base URL never falls back',
      () => ['--base-url', refused],
      1,
      /Nothing listens at .*start the server, or correct baseUrl/,
    ],
    [
      'an unknown model',
      () => on('--model', 'smal'),
      1,
      /has no model smal; it has small, other:latest: choose with --model/,
    ],
    ['an unknown model and no server', () => ['--model', 'gpt-9', '--port', '0'], 1, /gpt-9/],
    [
      'a host that is not ours',
      () => on('--model', 'small', '--host', '203.0.113.7', '--token', 'x'.repeat(12)),
      1,
      /no address 203/,
    ],
    ['a host without a token', () => on('--model', 'small', '--host', '0.0.0.0'), 2, /--token/],
    ['a short token', () => on('--model', 'small', '--token', 'abc'), 2, /12 characters/],
    ['a port that is none', () => ['--port', '70000'], 2, /--port must be a whole number/],
    ['a port in words', () => ['--port', 'high'], 2, /--port must be a whole number/],
    ['a flag with a slip', () => ['--prot', '1'], 2, /did you mean --port/],
    ['a word', () => ['llama3'], 2, /start takes no word.*--model llama3/],
  ])('%s is one line that helps', async (_, argv, wantedCode, wanted) => {
    const { code, printed, complained } = await start(argv())
    expect(printed).toBe('')
    const lines = complained.trim().split('\n')
    expect(lines.at(-1)).toMatch(wanted)
    expect(lines.at(-1)).toMatch(/^colloquy: /)
    expect(code).toBe(wantedCode)
  })
})
