import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { LlmError } from '../../backends/contract.ts'

export type SqliteValue = string | number

export interface SqliteStatement {
  run(...values: SqliteValue[]): { changes: number | bigint }
  get(...values: SqliteValue[]): unknown
  all(...values: SqliteValue[]): unknown[]
}

/** What both drivers have in common, and no more than the store needs. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): unknown
}

export const SqliteDriverName = z.enum(['node:sqlite', 'libsql'])
export type SqliteDriverName = z.output<typeof SqliteDriverName>

export interface SqliteDriver {
  name: SqliteDriverName
  open(path: string, access?: { readOnly: boolean }): SqliteDatabase
}

type DatabaseSync = new (path: string, options: { readOnly: boolean }) => SqliteDatabase

/** The types of Node 20, which the project is compiled with, do not know the module. */
const NodeSqlite = z.object({ DatabaseSync: z.custom<DatabaseSync>((value) => typeof value === 'function') })

function nodeSqlite(): SqliteDriver | undefined {
  const builtin = NodeSqlite.safeParse(process.getBuiltinModule('node:sqlite'))
  if (!builtin.success) return undefined
  const { DatabaseSync } = builtin.data
  return {
    name: 'node:sqlite',
    open: (path, { readOnly } = { readOnly: false }) => new DatabaseSync(path, { readOnly }),
  }
}

async function libsql(): Promise<SqliteDriver> {
  const { default: Database } = await import('libsql')
  return {
    name: 'libsql',
    // It ignores better-sqlite3's option `readonly` and heeds SQLite's own.
    open: (path, access) => new Database(access?.readOnly === true ? `${pathToFileURL(path).href}?mode=ro` : path),
  }
}

/** Node's own SQLite where Node has one without a flag (22.13), else libsql: both write the same file. */
export async function sqliteDriver(wanted?: SqliteDriverName): Promise<SqliteDriver> {
  const own = wanted === 'libsql' ? undefined : nodeSqlite()
  if (own !== undefined) return own
  return libsql().catch((cause: unknown) => {
    const message = 'There is no SQLite to keep conversations with; npm install libsql (Node 20 has none of its own).'
    throw new LlmError('store', { message, fault: 'driver', retryable: false, cause })
  })
}
