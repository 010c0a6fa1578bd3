import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { onTestFinished } from 'vitest'
import { sqliteDriver, type SqliteDatabase } from '../../src/persistence/sqlite/driver.ts'
import { SqliteStore, type SqliteStoreInternals } from '../../src/persistence/sqlite/store.ts'
import type { StoredLine } from '../../src/persistence/store.ts'

/** A folder of the running test's own. */
export async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'colloquy-store-'))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return made
}

/** A store of the running test's own, which closes it. */
export function storeAt(file: string, internals: SqliteStoreInternals & { readOnly?: boolean } = {}): SqliteStore {
  const { readOnly = false, ...rest } = internals
  const store = new SqliteStore({ file, readOnly }, rest)
  onTestFinished(() => store.close())
  return store
}

export async function opened(internals: SqliteStoreInternals = {}): Promise<{ store: SqliteStore; file: string }> {
  const file = join(await folder(), 'conversations.db')
  const store = storeAt(file, internals)
  await store.open()
  return { store, file }
}

/** The file itself, as people look at it with SQLite's own tools. */
export async function database(file: string): Promise<SqliteDatabase> {
  const made = (await sqliteDriver()).open(file)
  onTestFinished(() => void made.close())
  return made
}

export const line = (seq: number, body = `{"said":${seq}}`): StoredLine => ({ seq, body, check: `c${seq}` })
export const lines = (from: number, to: number): StoredLine[] =>
  Array.from({ length: to - from + 1 }, (_, at) => line(from + at))

/** The store as plain JavaScript, for programs of their own. The runner has compiled it beside its thread. */
export const compiledStore = (): string => pathToFileURL(threadEntry()).href.replace(/[^/]+$/u, 'store.js')

function threadEntry(): string {
  const entry = process.env['COLLOQUY_STORE_ENTRY']
  if (entry === undefined) throw new Error('vitest.config.ts names the set-up that compiles the store’s thread.')
  return entry
}

/** Until disposed of, stores run in a thread that dies of the first deletion, before it answers. */
export async function dyingThread(): Promise<AsyncDisposable> {
  const entry = threadEntry()
  const code = `
    import { parentPort } from 'node:worker_threads'
    const post = parentPort.postMessage.bind(parentPort)
    parentPort.postMessage = (report) => (report.type === 'deleted' ? process.exit(1) : post(report))
    await import(${JSON.stringify(pathToFileURL(entry).href)})`
  const file = join(await folder(), 'dying-thread.mjs')
  await writeFile(file, code)
  process.env['COLLOQUY_STORE_ENTRY'] = file
  return {
    [Symbol.asyncDispose]: async () => {
      process.env['COLLOQUY_STORE_ENTRY'] = entry
    },
  }
}
