import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'

const run = promisify(execFile)
const root = new URL('../../', import.meta.url).pathname

/** file, its one line, and a word of the sentence that teaches; null: it is allowed. */
const cases: [string, string, RegExp | null][] = [
  ['machines/a.ts', `export * from 'rxjs'`, /pure charts/],
  ['machines/b.ts', `export * from '../src/runtime/clock.ts'`, /pure charts/],
  ['machines/c.ts', `export const now = () => Date.now()`, /events bring the time/],
  ['machines/d.ts', `export * from 'xstate/graph'`, null],
  ['src/backends/a.ts', `export * from '../runtime/service.ts'`, /backends\/ speaks to servers/],
  ['src/backends/b.ts', `export { words } from '../../machines/words.ts'`, /only types from machines/],
  ['src/backends/c.ts', `export type { Turn } from '../../machines/vocabulary.ts'`, null],
  ['src/backends/embedded/d.ts', `export { LlmError } from '../contract.ts'`, null],
  ['src/speaking/a.ts', `export * from '../backends/ollama/chat.ts'`, /are streams/],
  ['src/speaking/b.ts', `export { conversationMachine } from '../../machines/conversation/machine.ts'`, /only types/],
  ['src/speaking/c.ts', `export { Observable } from 'rxjs'`, null],
  ['src/listening/a.ts', `export { Config } from '../config/config.ts'`, /Settings are passed in/],
  ['src/listening/b.ts', `export type { Settings } from '../config/config.ts'`, null],
  ['src/generation/a.ts', `export * from '../backends/ollama/chat.ts'`, /never a dialect/],
  ['src/generation/b.ts', `export * from '../backends/contract.ts'`, null],
  ['src/history/a.ts', `export * from '../runtime/service.ts'`, /read what happened/],
  ['src/inspection/a.ts', `export { x } from '../../machines/conversation/machine.ts'`, /only types/],
  ['src/inspection/b.ts', `export * from '../web/door.ts'`, null],
  ['src/inspection/c.ts', `export * from 'ws'`, /read what happened/],
  ['src/web/a.ts', `export * from '../index.ts'`, /knows nothing behind it/],
  ['src/web/b.ts', `export * from '../server/protocol.ts'`, /knows nothing behind it/],
  ['src/web/c.ts', `export { WebSocketServer } from 'ws'`, null],
  ['src/server/a.ts', `export * from '../web/door.ts'`, null],
  ['src/server/b.ts', `export { WebSocketServer } from 'ws'`, /thin user/],
  ['src/runtime/a.ts', `export * from '../provision/pull-model.ts'`, /never provisions/],
  ['src/runtime/b.ts', `export * from '../backends/ollama/chat.ts'`, null],
  ['src/runtime/c.ts', `export const later = (run: () => void) => setTimeout(run, 5)`, /injected Clock/],
  ['src/runtime/d.ts', `export const soon = () => AbortSignal.timeout(5)`, /do not move AbortSignal/],
  ['src/cli/a.ts', `export * from '../runtime/service.ts'`, /thin user/],
  ['src/cli/b.ts', `export * from '../index.ts'`, null],
  ['src/any.ts', `export const x = (y: any) => y`, /any/],
  ['src/cast.ts', `export const x = (y: unknown) => y as string`, /assertion/],
  ['src/swallow.ts', `export function x() {\n  try {\n    x()\n  } catch {}\n}`, /empty/i],
  ['test/a.test.ts', `export const nap = () => new Promise((wake) => setTimeout(wake, 5))`, /No sleeping/],
]

const Report = z.object({
  diagnostics: z.array(z.object({ filename: z.string(), message: z.string(), help: z.string().optional() })),
})

let folder = ''
let said: Map<string, string>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colloquy-lint-'))
  const config: unknown = JSON.parse(await readFile(join(root, '.oxlintrc.json'), 'utf8'))
  // type-aware rules need a program; these files are only about who imports whom
  const plain = { ...z.looseObject({}).parse(config), options: {} }
  await writeFile(join(folder, '.oxlintrc.json'), JSON.stringify(plain))
  for (const [file, line] of cases) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), `${line}\n`)
  }
  const bin = join(root, 'node_modules/.bin/oxlint')
  const output = await run(bin, ['--format', 'json'], { cwd: folder }).catch((error: unknown) => error)
  const { stdout } = z.object({ stdout: z.string() }).parse(output)
  said = new Map()
  for (const { filename, message, help } of Report.parse(JSON.parse(stdout)).diagnostics) {
    said.set(filename, `${said.get(filename) ?? ''}${message} ${help ?? ''}\n`)
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('the linter holds the direction of imports, with a sentence that teaches', () => {
  it.each(cases)('%s: %s', (file, _line, teaches) => {
    if (teaches === null) expect(said.get(file)).toBeUndefined()
    else expect(said.get(file)).toMatch(teaches)
  })
})
