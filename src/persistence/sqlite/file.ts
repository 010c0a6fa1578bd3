import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { putAside, syncFolder } from './aside.ts'
import type { SqliteDatabase, SqliteDriver } from './driver.ts'
import { isDamage, storeError, toStoreError } from './faults.ts'
import type { StoreThreadSettings } from './messages.ts'
import { refuseOther } from './signature.ts'
import type { SetAside } from '../store.ts'

const formatVersion = 1
/** "coll" in ASCII: tells the file from any other program's database. */
const applicationId = 0x63_6f_6c_6c

/** For a program that is started again while the one before it still closes; less than the library waits for a store. */
const lockMs = 500

const schema = `
  CREATE TABLE conversation (
    id TEXT PRIMARY KEY, snapshot TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
  );
  CREATE TABLE event (
    conversation_id TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, check_ TEXT NOT NULL,
    PRIMARY KEY (conversation_id, seq)
  ) WITHOUT ROWID;
  CREATE TABLE set_aside (
    id INTEGER PRIMARY KEY, conversation_id TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL,
    snapshot TEXT NOT NULL, lines TEXT NOT NULL
  );
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${formatVersion};
`

export interface StoreFile {
  database: SqliteDatabase
  setAside?: SetAside
  /** Writes what is in the log of changes into the file and empties it, unless a reader is in the middle of something. */
  checkpoint(): void
  /** Throws where the file or its lock was moved or removed: SQLite would go on writing what nobody will find. */
  confirm(): void
  /** Writes what is in the log of changes into the file, lets go of the lock, and closes. */
  close(): void
}

/** Opens the file for its one writer, or for a reader beside it. Throws an LlmError `store`, with nothing left open. */
export function openStoreFile(
  driver: SqliteDriver,
  { file: asked, readOnly, busyMs, maxPages, mayPutAside }: StoreThreadSettings & { mayPutAside: boolean },
): StoreFile {
  try {
    if (readOnly) return openForReading(driver, asked, busyMs)
    const file = makeReady(asked)
    refuseStranger(driver, file)
    const lock = takeLock(driver, file)
    try {
      const damage = statSync(file).size === 0 ? undefined : damageOf(driver, file)
      if (damage !== undefined && !mayPutAside) throw damage.error
      const setAside = damage === undefined ? undefined : putAside(file, damage.reason, lock.now())
      const database = openForWriting(driver, file, busyMs, maxPages)
      const opened: StoreFile = {
        database,
        checkpoint: () => checkpoint(database, busyMs),
        confirm: confirmationOf(file),
        close() {
          checkpoint(database, busyMs)
          database.close()
          lock.release()
        },
      }
      return setAside === undefined ? opened : { ...opened, setAside }
    } catch (error) {
      lock.release()
      throw error
    }
  } catch (error) {
    throw toStoreError(error, asked)
  }
}

/** Makes folder and file; the real path, so that two names of one file are one lock. */
function makeReady(asked: string): string {
  const folder = dirname(asked)
  const made = mkdirSync(folder, { recursive: true })
  if (made !== undefined) syncFolder(dirname(made))
  if (!existsSync(asked)) {
    // What people said is nobody else's business. SQLite gives its other files the same rights.
    closeSync(openSync(asked, 'a', 0o600))
    syncFolder(folder)
  }
  // SQLite would open it for reading, and fail with the first commit.
  accessSync(asked, constants.R_OK | constants.W_OK)
  return realpathSync(asked)
}

/** Before the lock, which would be made beside the file of somebody else. */
function refuseStranger(driver: SqliteDriver, file: string): void {
  refuseOther(file)
  if (statSync(file).size === 0) return
  const database = driver.open(file, { readOnly: true })
  try {
    refuseForeign(database, file)
  } catch (error) {
    // Damage is looked at once nobody else can write.
    if (!isDamage(error)) throw error
  } finally {
    database.close()
  }
}

/**
 * An exclusive transaction on a file of its own: the system releases it with the process, however that ends. The file
 * stays, since removing it would race with the next owner.
 */
function takeLock(driver: SqliteDriver, file: string): { now(): string; release(): void } {
  let lock: SqliteDatabase | undefined
  try {
    if (existsSync(`${file}-lock`)) accessSync(`${file}-lock`, constants.R_OK | constants.W_OK)
    lock = driver.open(`${file}-lock`)
    lock.exec(`PRAGMA busy_timeout = ${lockMs}`)
    // No journal beside it, which a kill would leave.
    lock.exec('PRAGMA journal_mode = MEMORY')
    lock.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    lock?.close()
    const error = toStoreError(cause, `${file}-lock`)
    if (error.fault !== 'busy') throw error
    const message = `${file} is written by another process; end that one, or give this one a file of its own.`
    throw storeError('in-use', message, { cause })
  }
  const held = lock
  return {
    now: () =>
      z.object({ now: z.string() }).parse(held.prepare(`SELECT strftime('%Y%m%dT%H%M%fZ', 'now') now`).get()).now,
    release() {
      // libsql closes a database only once its statements are collected; the lock must go now.
      held.exec('ROLLBACK')
      held.close()
    },
  }
}

/**
 * Looks at the file through a connection that cannot write: one that can would, when it is closed late (libsql does),
 * take the new file's log for its own and remove it.
 */
function damageOf(driver: SqliteDriver, file: string): { reason: string; error: unknown } | undefined {
  const database = driver.open(file, { readOnly: true })
  try {
    refuseForeign(database, file)
    const check = z.object({ quick_check: z.string() }).parse(database.prepare('PRAGMA quick_check(1)').get())
    if (check.quick_check === 'ok') return undefined
    const reason = `its pages are damaged (${check.quick_check.replaceAll(/\s+/gu, ' ').slice(0, 200)})`
    return { reason, error: storeError('damaged', damagedNow(file)) }
  } catch (error) {
    if (!isDamage(error)) throw error
    const reason = error instanceof Error ? error.message : 'it is not a database'
    return { reason, error: storeError('damaged', damagedNow(file), { cause: error }) }
  } finally {
    database.close()
  }
}

const damagedNow = (file: string): string =>
  `${file} is damaged; start the program again, which puts it aside and begins anew.`

const Format = z.object({ application: z.number(), version: z.number(), tables: z.number() })

/** Whether there is anything in it yet. */
function refuseForeign(database: SqliteDatabase, file: string): boolean {
  const { application, version, tables } = Format.parse(
    database
      .prepare(
        `SELECT (SELECT application_id FROM pragma_application_id) application,
                (SELECT user_version FROM pragma_user_version) version,
                (SELECT count(*) FROM sqlite_master) tables`,
      )
      .get(),
  )
  const isNobodys = application === 0 || application === applicationId
  if (tables === 0 && version === 0 && isNobodys) return false
  if (application !== applicationId) {
    throw storeError('foreign', `${file} is the database of another program; give conversations a file of their own.`)
  }
  if (version > formatVersion) {
    const formats = `format ${version}, this one knows ${formatVersion}`
    throw storeError(
      'newer',
      `${file} was written by a newer colloquy (${formats}); update colloquy, or give another file.`,
    )
  }
  return true
}

function openForWriting(
  driver: SqliteDriver,
  file: string,
  busyMs: number,
  maxPages: number | undefined,
): SqliteDatabase {
  const database = driver.open(file)
  try {
    database.exec(`PRAGMA busy_timeout = ${busyMs}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`)
    // On macOS fsync leaves it to the disk when to write; elsewhere these mean nothing.
    database.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
    // Else what was deleted stays readable in the file until its place is needed.
    database.exec('PRAGMA secure_delete = ON')
    if (maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${maxPages}`)
    if (!refuseForeign(database, file)) database.exec(`BEGIN IMMEDIATE; ${schema}; COMMIT`)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function openForReading(driver: SqliteDriver, file: string, busyMs: number): StoreFile {
  if (!existsSync(file)) throw nothingThere(file)
  accessSync(file, constants.R_OK)
  refuseOther(file)
  const database = driver.open(file, { readOnly: true })
  try {
    database.exec(`PRAGMA busy_timeout = ${busyMs}`)
    if (!refuseForeign(database, file)) throw nothingThere(file)
    return { database, checkpoint() {}, confirm() {}, close: () => void database.close() }
  } catch (error) {
    database.close()
    throw error
  }
}

/** Looks whether the names still lead to the files that are open. */
function confirmationOf(file: string): () => void {
  const files = [file, `${file}-lock`].map((name) => ({ name, ino: statSync(name, { bigint: true }).ino }))
  return () => {
    for (const { name, ino } of files) {
      if (statSync(name, { bigint: true, throwIfNoEntry: false })?.ino === ino) continue
      const message = `${name} was moved or removed while it was in use; put it back, or start the program again.`
      throw storeError('gone', message)
    }
  }
}

/** A reader in the middle of something is not waited for: whoever closes would take it for a slow disk. */
function checkpoint(database: SqliteDatabase, busyMs: number): void {
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)')
  } catch {
    // Nothing is lost: what stays in the log of changes is read from there when the file is opened again.
  } finally {
    database.exec(`PRAGMA busy_timeout = ${busyMs}`)
  }
}

const nothingThere = (file: string) =>
  storeError('missing', `There are no conversations at ${file}; name the file that the program keeps them in.`)
