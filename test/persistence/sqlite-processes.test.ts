import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { compiledStore, folder, lines, opened, storeAt } from './sqlite-support.ts'

const inUse = {
  code: 'store',
  fault: 'in-use',
  retryable: false,
  message: expect.stringMatching(/is written by another process; end that one, or give this one a file of its own\.$/u),
}

type Program = ReturnType<typeof spawn> & { stdout: Readable; stderr: Readable }

/** A program of its own, as the module's users write one. `store` is a store at `file`. */
function program(file: string, code: string): { child: Program; told: AsyncIterator<string> } {
  const opening = `
    import { sqliteStore } from ${JSON.stringify(compiledStore())}
    const store = sqliteStore({ file: ${JSON.stringify(file)} })
    const tell = (text) => process.stdout.write(text + '\\n')
    await store.open()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', `${opening}\n${code}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return { child, told: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
}

async function killed(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

describe('a file has one writer', () => {
  it('in one process', async () => {
    const { store, file } = await opened()
    await expect(storeAt(file).open()).rejects.toMatchObject(inUse)
    const other = join(await folder(), 'other.db')
    await symlink(file, other)
    await expect(storeAt(other).open()).rejects.toMatchObject(inUse)
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 1) })
    await store.close()
    const next = storeAt(file)
    await next.open()
    expect(await next.list()).toHaveLength(1)
  })

  it('across processes, until that one is gone, however it went', async () => {
    const file = join(await folder(), 'conversations.db')
    const { child, told } = program(file, `tell('open'); setInterval(() => {}, 1_000)`)
    await told.next()
    await expect(storeAt(file).open()).rejects.toMatchObject(inUse)
    expect(await storeAt(file, { readOnly: true }).list()).toEqual([])
    await killed(child)
    const next = storeAt(file)
    expect(await next.open()).toEqual({})
  })

  it('which does not stay alive for it, and lets go of it in the end', async () => {
    const file = join(await folder(), 'conversations.db')
    const { child } = program(file, `await store.commit({ conversationId: 'a', snapshot: '{}', lines: [] })`)
    const exited = once(child, 'exit')
    // no word of experiments on a terminal that is the program's own
    expect(await text(child.stderr)).toBe('')
    expect(await exited).toEqual([0, null])
    expect(await storeAt(file).list()).toMatchObject([{ conversationId: 'a' }])
  })
})

describe('a machine without any SQLite', () => {
  it.skipIf(process.getBuiltinModule('node:sqlite') !== undefined)('is told which package to install', async () => {
    const at = await folder()
    const sources = new URL('../../../', compiledStore())
    await cp(sources, join(at, 'dist'), { recursive: true })
    await mkdir(join(at, 'node_modules'))
    await symlink(join(import.meta.dirname, '../../node_modules/zod'), join(at, 'node_modules', 'zod'))
    await writeFile(
      join(at, 'program.js'),
      `import { sqliteStore } from './dist/src/persistence/sqlite/store.js'
       const store = sqliteStore({ file: 'conversations.db' })
       await store.open().catch(({ code, message }) => console.log(code + ': ' + message))
       await store.close()`,
    )
    await writeFile(join(at, 'package.json'), '{ "type": "module" }')
    const { stdout } = await promisify(execFile)(process.execPath, ['program.js'], { cwd: at })
    expect(stdout).toBe(
      'store: There is no SQLite to keep conversations with; npm install libsql (Node 20 has none of its own).\n',
    )
    expect(await readdir(at)).not.toContain('conversations.db')
  })
})

describe('a process that is killed while it writes', () => {
  it('has lost nothing that was acknowledged, five times', async () => {
    const file = join(await folder(), 'conversations.db')
    const acknowledged = new Map<string, number>()
    for (let run = 1; run <= 5; run++) {
      const from = JSON.stringify([...acknowledged])
      const { child, told } = program(
        file,
        `const from = new Map(${from})
         const write = async (conversationId) => {
           for (let seq = (from.get(conversationId) ?? 0) + 1; ; seq++) {
             const lines = [{ seq, body: conversationId + ' says ' + seq, check: 'c' + seq }]
             await store.commit({ conversationId, snapshot: String(seq), lines })
             tell(conversationId + ' ' + seq)
           }
         }
         await Promise.all(['a', 'b', 'c'].map(write))`,
      )
      for (let told_ = 0; told_ < 30 * run; told_++) {
        const { value } = await told.next()
        const [id = '', seq] = String(value).split(' ')
        acknowledged.set(id, Number(seq))
      }
      await killed(child)
      const store = storeAt(file)
      expect(await store.open()).toEqual({})
      for (const [id, seq] of acknowledged) {
        const kept = await store.load(id)
        const count = kept?.lines.length ?? 0
        expect(count).toBeGreaterThanOrEqual(seq)
        expect(kept?.snapshot).toBe(String(count))
        const whole = Array.from({ length: count }, (_, at) => `${id} says ${at + 1}`)
        expect(kept?.lines.map(({ body }) => body)).toEqual(whole)
        acknowledged.set(id, count)
      }
      await store.close()
    }
  })
})
