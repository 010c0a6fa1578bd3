import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { loopbackServer } from '../../src/testing/loopback-server.ts'
import { readmeBlocks } from '../support/readme-blocks.ts'

// what an outer `npm test` says about its own package is not meant for this one
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD$)/i.test(name)))
const run = (file: string, args: string[], { cwd }: { cwd: string }) => promisify(execFile)(file, args, { cwd, env })
const root = new URL('../../', import.meta.url).pathname
const quiet = ['--no-audit', '--no-fund', '--loglevel=error']

let folder = ''
let project = ''

/** Builds and packs a copy, so that the checkout's own dist stays as it is. */
async function pack(): Promise<string> {
  const copy = join(folder, 'checkout')
  const parts = [
    'bin',
    'machines',
    'src',
    'engine',
    'docs',
    'scripts',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ]
  for (const part of [...parts, 'README.md', 'LICENSE'])
    await cp(join(root, part), join(copy, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  await run('npm', ['run', 'build', ...quiet], { cwd: copy })
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder, ...quiet], { cwd: copy })
  const [packed] = z.array(z.looseObject({ filename: z.string() })).parse(JSON.parse(stdout))
  return join(folder, packed?.filename ?? '')
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colloquy-pack-'))
  project = join(folder, 'project')
  await mkdir(project)
  const tarball = await pack()
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'fresh', private: true, type: 'module' }))
  const wanted = [tarball, 'xstate@5', 'rxjs@7', '@types/node@20']
  await run('npm', ['install', '--prefer-offline', '--ignore-scripts', ...quiet, ...wanted], { cwd: project })
  const compilerOptions = { strict: true, module: 'nodenext', target: 'es2023', noEmit: true, types: ['node'] }
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
}, 120_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

const everyEntry = `
import { createLlmService, LlmError, type LlmService, type LlmServiceOptions, type TurnOutcome } from 'colloquy'
import { conversationInput, conversationMachine, replyMachine, type ReplyLogic } from 'colloquy/machines'
import { runScenario, scriptedBackend, scriptedReply, virtualClock } from 'colloquy/testing'
import { startInspector, type Inspector } from 'colloquy/inspector'

const options: LlmServiceOptions = { endpointing: { minDelayMs: 300 }, clock: virtualClock() }
const service: LlmService = createLlmService(options)
const logic: ReplyLogic = scriptedReply('Hi.')
export const open: () => Promise<Inspector> = () => startInspector()
export const ask = (text: string): Promise<TurnOutcome> => service.conversation().ask(text)
// @ts-expect-error a typing slip in an option is an error in the editor
createLlmService({ endpointing: { minDelay: 300 } })
export { conversationInput, conversationMachine, replyMachine, logic, runScenario, scriptedBackend, LlmError }
`

describe('the packed package in a fresh project', () => {
  it('is type-checked under strict and nodenext, all four entries and every example of the README', async () => {
    await writeFile(join(project, 'every-entry.ts'), everyEntry)
    for (const [name, code] of await readmeBlocks()) await writeFile(join(project, `readme-${name}.ts`), code)
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { stdout } = await run(process.execPath, [tsc, '-p', '.'], { cwd: project }).catch((error: unknown) =>
      z.object({ stdout: z.string() }).parse(error),
    )
    expect(stdout).toBe('')
  }, 60_000)

  it('is imported by Node from all four entries', async () => {
    const entries = ['colloquy', 'colloquy/machines', 'colloquy/testing', 'colloquy/inspector']
    const code = entries.map((entry) => `console.log(Object.keys(await import('${entry}')).length > 0)`).join('\n')
    await writeFile(join(project, 'run.js'), code)
    const { stdout } = await run(process.execPath, ['run.js'], { cwd: project })
    expect(stdout).toBe('true\n'.repeat(entries.length))
  })

  it('brings the command', async () => {
    const { stdout } = await run('npx', ['--no-install', 'colloquy', '--version'], { cwd: project })
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('brings a command that fails with one line and its exit code', async () => {
    const main = join(project, 'node_modules/colloquy/bin/colloquy.js')
    const failed: unknown = await run(process.execPath, [main, 'chta'], { cwd: project }).catch(
      (error: unknown) => error,
    )
    expect(failed).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'colloquy: unknown command chta; did you mean chat?\n',
    })
  })

  it('serves the inspector page, which is no code and comes as it is', async () => {
    const code = `import { startInspector } from 'colloquy/inspector'
      const inspector = await startInspector()
      console.log((await fetch(inspector.url)).status)
      await inspector.close()`
    await writeFile(join(project, 'inspect.js'), code)
    expect((await run(process.execPath, ['inspect.js'], { cwd: project })).stdout).toBe('200\n')
  })

  it('the examples run', async () => {
    const server = await loopbackServer({ replies: [{ text: 'It is noon.' }] })
    await cp(join(root, 'examples'), join(project, 'examples'), { recursive: true })
    const example = async (name: string, ...args: string[]) =>
      (await run(process.execPath, [join('examples', name), ...args], { cwd: project })).stdout
    expect(await example('barge-in.js')).toMatch(/RESPONSE_INTERRUPTED It is noon, and\n/)
    expect(await example('typed.js', server.url)).toMatch(/^> Who are you\?\nIt is noon\.\n/)
    expect(await example('event-emitter.js', server.url)).toBe('assistant: It is noon.\n')
    await server.close()
  })

  it('holds what is needed to run and nothing of the tests', async () => {
    const inside = join(project, 'node_modules/colloquy')
    const all = await readdir(inside, { recursive: true })
    for (const part of [
      'bin/colloquy.js',
      'dist/src/index.js',
      'dist/src/index.d.ts',
      'dist/src/persistence/sqlite/worker.js',
      'engine/package-lock.json',
      'LICENSE',
      'README.md',
    ])
      expect(all).toContain(part)
    expect(all.filter((name) => /(^|\/)(test|bench|scripts|node_modules)(\/|$)/.test(name))).toEqual([])
    expect(all.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))).toEqual([])
  })
})
