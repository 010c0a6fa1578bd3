import { resolve } from 'node:path'
import { z } from 'zod'
import { LlmError } from '../../backends/contract.ts'
import { SqliteClient, type Asked } from './client.ts'
import type { SqliteDriverName } from './driver.ts'
import { storeError } from './faults.ts'
import type { StoreReport } from './messages.ts'
import type { ConversationStore, SetAside, StoredConversation, StoredSummary, StoreWrite } from '../store.ts'

export interface SqliteStoreOptions {
  /** Made if it is not there, its folder too. SQLite keeps files beside it: `-wal`, `-shm`, `-lock`. */
  file: string
  /** Only looks, also while another process writes. */
  readOnly?: boolean
}

/**
 * Keeps conversations in a SQLite file, written by a thread of its own: a slow disk delays what waits for it and nothing
 * else. A commit is durable when it resolves; commits that come while the disk is busy share the next sync.
 *
 *     const service = createLlmService({ store: sqliteStore({ file: 'conversations.db' }) })
 *
 * One process writes a file at a time; `open()` rejects in a second one. A thread that dies rejects what it was asked,
 * and the next call starts another. Needs Node 22.13, or `npm install libsql`.
 */
export function sqliteStore(options: SqliteStoreOptions): ConversationStore {
  return new SqliteStore(options)
}

const Options = z.strictObject({ file: z.string().min(1), readOnly: z.boolean().optional() })

/** From JavaScript anything may come. */
function checked(options: SqliteStoreOptions): SqliteStoreOptions {
  if (Options.safeParse(options).success) return options
  const message = "sqliteStore takes { file: 'conversations.db' }, a path, and readOnly: true or false"
  throw new LlmError('config', { message })
}

/** For tests: which driver, how many pages the disk has room for, how long another program's lock is waited for. */
export interface SqliteStoreInternals {
  driver?: SqliteDriverName
  maxPages?: number
  busyMs?: number
}

export class SqliteStore implements ConversationStore {
  readonly #file: string
  readonly #readOnly: boolean
  readonly #internals: SqliteStoreInternals
  #client: SqliteClient | undefined
  #wasOpen = false
  #closing: Promise<void> | undefined

  constructor(options: SqliteStoreOptions, internals: SqliteStoreInternals = {}) {
    const { file, readOnly = false } = checked(options)
    this.#file = resolve(file)
    this.#readOnly = readOnly
    this.#internals = internals
  }

  async open(): Promise<{ setAside?: SetAside }> {
    const opened = await this.#running({ mayPutAside: !this.#wasOpen }).opened
    this.#wasOpen = true
    return opened
  }

  async load(conversationId: string): Promise<StoredConversation | undefined> {
    const { conversation } = await this.#ask({ type: 'load', conversationId }, (report) => report.type === 'loaded')
    return conversation
  }

  async commit({ conversationId, snapshot, lines }: StoreWrite): Promise<void> {
    this.#refuseReader()
    const write = { conversationId, snapshot, lines: [...lines] }
    await this.#ask({ type: 'commit', write }, (report) => report.type === 'committed')
  }

  async setAside(conversationId: string, reason: string): Promise<string> {
    this.#refuseReader()
    const command = { type: 'set-aside' as const, conversationId, reason }
    return (await this.#ask(command, (report) => report.type === 'put-aside')).to
  }

  async list(): Promise<StoredSummary[]> {
    return (await this.#ask({ type: 'list' }, (report) => report.type === 'listed')).summaries
  }

  async delete(conversationId: string): Promise<boolean> {
    this.#refuseReader()
    return (await this.#ask({ type: 'delete', conversationId }, (report) => report.type === 'deleted')).existed
  }

  close(): Promise<void> {
    this.#closing ??= this.#client?.close() ?? Promise.resolve()
    return this.#closing
  }

  async #ask<Answer extends StoreReport>(
    command: Asked,
    isAnswer: (report: StoreReport) => report is Answer,
  ): Promise<Answer> {
    return this.#running().ask(command, isAnswer)
  }

  /** A thread that is gone is replaced: one start a call, so that nothing starts it over and over by itself. */
  #running({ mayPutAside } = { mayPutAside: false }): SqliteClient {
    if (this.#closing !== undefined)
      throw storeError('closed', `The store at ${this.#file} is closed; make another one.`)
    if (this.#client?.alive === true) return this.#client
    const settings = { file: this.#file, readOnly: this.#readOnly, ...this.#internals }
    // Only `open()` tells what was put aside, and only once; at any other time nobody would hear of it.
    this.#client = new SqliteClient(settings, { mayPutAside })
    return this.#client
  }

  #refuseReader(): void {
    if (!this.#readOnly) return
    throw storeError('read-only', `The store at ${this.#file} is open for reading alone; open it without readOnly.`)
  }
}
