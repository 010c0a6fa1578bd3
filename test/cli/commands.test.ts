import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { commands, runCli } from '../../src/cli/run-cli.ts'
import { modelCatalogue } from '../../src/provision/model-catalogue.ts'
import { loopbackServer, refusedUrl, type LoopbackServer } from '../../src/testing/loopback-server.ts'
import { fakeTerminal } from '../support/fake-terminal.ts'

const open: LoopbackServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

async function run(argv: string[], folder?: string) {
  const terminal = fakeTerminal(folder === undefined ? {} : { folder })
  const code = await runCli(argv, terminal)
  return { code, printed: terminal.printed, complained: terminal.complained }
}

describe('help', () => {
  it.each([[[]], [['--help']], [['help']], [['-h']]])('%j names every command', async (argv) => {
    const { code, printed } = await run(argv)
    expect(code).toBe(0)
    for (const { name } of commands) expect(printed).toContain(`colloquy ${name} `)
  })

  it.each(commands.map(({ name }) => name))('%s --help names its flags', async (name) => {
    const { code, printed } = await run([name, '--help'])
    expect(code).toBe(0)
    for (const flag of Object.keys(commands.find((one) => one.name === name)?.flags ?? {}))
      expect(printed).toContain(`--${flag}`)
  })

  it('chat --help prints the settings from the schema', async () => {
    expect((await run(['chat', '--help'])).printed).toMatch(/endpointing\.minDelayMs +\[500\] Silence that ends/)
  })

  it('--version is that of the package', async () => {
    expect((await run(['--version'])).printed).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})

describe('colloquy doctor', () => {
  it('a server that works is a readable report and exit 0', async () => {
    const server = await loopbackServer()
    open.push(server)
    const { code, printed } = await run(['doctor', '--base-url', server.url])
    expect(code).toBe(0)
    expect(printed).toMatch(/^http:\/\/127[^\n]*\n\nok +dns /)
    expect(printed).toMatch(/ready: m1 on ollama-chat\n$/)
  })

  it('a server that does not is exit 1 and says what to do', async () => {
    const { code, printed } = await run(['doctor', '--base-url', await refusedUrl()])
    expect(code).toBe(1)
    expect(printed).toMatch(/FAIL +tcp .*\n +do: Start the server/)
  })

  it('--json is the diagnosis as it is', async () => {
    const { code, printed } = await run(['doctor', '--json', '--base-url', await refusedUrl()])
    const Diagnosis = z.object({
      ok: z.boolean(),
      steps: z.array(z.looseObject({ name: z.string(), ok: z.boolean() })),
    })
    expect(code).toBe(1)
    expect(Diagnosis.parse(JSON.parse(printed)).steps.at(-1)?.ok).toBe(false)
  })
})

describe('colloquy graph', () => {
  it.each(['conversation', 'reply', 'detection', 'breaker'])('%s as Mermaid', async (machine) => {
    const { code, printed } = await run(['graph', machine])
    expect(code).toBe(0)
    expect(printed).toMatch(/^stateDiagram-v2\n/)
  })

  it('--json is what XState draws', async () => {
    const { printed } = await run(['graph', '--json'])
    const Chart = z.looseObject({ id: z.string(), states: z.record(z.string(), z.unknown()) })
    const { id, states } = Chart.parse(JSON.parse(printed))
    expect(id).toBe('conversation')
    expect(Object.keys(states)).toEqual(['idle', 'detecting', 'generating', 'responding', 'error', 'stopped'])
  })
})

describe('colloquy model list', () => {
  it('names size, licence and what is here, without any network', async () => {
    const terminal = fakeTerminal({ environment: { COLLOQUY_CACHE_DIR: '/nowhere/at/all' } })
    expect(await runCli(['model', 'list'], terminal)).toBe(0)
    expect(terminal.printed).toMatch(/^model .*\nSmolLM2-135M +98 MB .*Apache-2\.0 +can be pulled\n/)
  })
})

describe('colloquy model verify', () => {
  /** A cache folder in which the default model has its size, and bytes of nobody. */
  async function changed(): Promise<string> {
    const cacheDir = await mkdtemp(join(tmpdir(), 'colloquy-verify-'))
    onTestFinished(() => rm(cacheDir, { recursive: true, force: true }))
    const [model] = modelCatalogue
    const path = join(cacheDir, 'models', model?.file ?? '')
    await mkdir(join(cacheDir, 'models'))
    await writeFile(path, '')
    await truncate(path, model?.sizeBytes)
    return cacheDir
  }
  async function verify(cacheDir: string, ...argv: string[]) {
    const terminal = fakeTerminal({ environment: { COLLOQUY_CACHE_DIR: cacheDir } })
    const code = await runCli(['model', 'verify', ...argv], terminal)
    return { code, printed: terminal.printed, complained: terminal.complained }
  }
  const again =
    /^colloquy: \S+ has other bytes than the SmolLM2-135M that was published; run: colloquy model pull SmolLM2-135M\n$/u

  it('82: a model of the right size with other bytes is found out, and exit 1', async () => {
    const cacheDir = await changed()
    const all = await verify(cacheDir)
    expect(all).toMatchObject({ code: 1, complained: expect.stringMatching(again) })
    expect(all.printed).toMatch(/^SmolLM2-135M {2}changed {2}\S+\.gguf\n$/u)
    const one = await verify(cacheDir, 'smollm2:135m', '--json')
    expect(one).toMatchObject({ code: 1, complained: expect.stringMatching(again) })
    expect(JSON.parse(one.printed)).toMatchObject([{ name: 'SmolLM2-135M', state: 'changed' }])
  })

  it('one that is not here is exit 1 and the command that brings it, one that nobody knows exit 2', async () => {
    const cacheDir = await changed()
    expect(await verify(cacheDir, 'SmolLM2-360M')).toMatchObject({
      code: 1,
      complained: 'colloquy: SmolLM2-360M is not here; run: colloquy model pull SmolLM2-360M\n',
    })
    expect(await verify(join(cacheDir, 'empty'))).toEqual({
      code: 1,
      printed: '',
      complained: 'colloquy: no model is here to verify; run: colloquy model pull\n',
    })
    expect(await verify(cacheDir, 'SmolLM2-135')).toMatchObject({
      code: 2,
      complained: 'colloquy: unknown model SmolLM2-135; did you mean SmolLM2-135M?\n',
    })
    expect((await verify(cacheDir, '--force')).complained).toMatch(/--force goes with model pull/u)
  })
})

describe('colloquy scenario', () => {
  const folder = new URL('../scenarios/given/', import.meta.url).pathname

  it('prints the timeline and the verdicts, and exits 0', async () => {
    const [file = ''] = (await readdir(folder)).filter((name) => name.startsWith('01-'))
    const { code, printed } = await run(['scenario', file], folder)
    expect(code).toBe(0)
    expect(printed).toMatch(/ +0ms +machine +idle -> detecting/)
    expect(printed).toMatch(/1 of 1 passed\n$/)
  })
})
