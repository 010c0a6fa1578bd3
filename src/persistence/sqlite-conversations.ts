import { z } from 'zod'
import type { SqliteDatabase } from './sqlite-driver.ts'
import { storeError, toStoreError } from './sqlite-faults.ts'
import type { LlmError } from '../backends/contract.ts'
import type { StoredConversation, StoredLine, StoredSummary, StoreWrite } from './store.ts'

const now = `strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`

const Snapshot = z.object({ snapshot: z.string() })
const Lines = z.array(z.object({ seq: z.number(), body: z.string(), check: z.string() }))
const Existing = z.object({ body: z.string(), check: z.string() })
const Place = z.object({ id: z.number() })
const Summaries = z.array(
  z.object({ conversationId: z.string(), lines: z.number(), createdAt: z.string(), updatedAt: z.string() }),
)

export interface Conversations {
  /** One transaction for all; where that fails, one for each. undefined: it is durable now. */
  commit(writes: readonly StoreWrite[]): (LlmError | undefined)[]
  load(conversationId: string): StoredConversation | undefined
  list(): StoredSummary[]
  /** The row it is kept in now. */
  setAside(conversationId: string, reason: string): number
  delete(conversationId: string): boolean
}

/** The rows of an open file. Everything is one transaction, and blocks for as long as the disk takes. */
export function conversationsIn(database: SqliteDatabase, file: string): Conversations {
  const insertLine = database.prepare(
    `INSERT INTO event (conversation_id, seq, body, check_) SELECT ?1, ?2, ?3, ?4
     WHERE ?2 = 1 OR EXISTS (SELECT 1 FROM event WHERE conversation_id = ?1 AND seq = ?2 - 1)
     ON CONFLICT DO NOTHING`,
  )
  const readLine = database.prepare('SELECT body, check_ "check" FROM event WHERE conversation_id = ? AND seq = ?')
  const upsert = database.prepare(
    `INSERT INTO conversation (id, snapshot, created_at, updated_at) VALUES (?, ?, ${now}, ${now})
     ON CONFLICT (id) DO UPDATE SET snapshot = excluded.snapshot, updated_at = excluded.updated_at`,
  )
  const readSnapshot = database.prepare('SELECT snapshot FROM conversation WHERE id = ?')
  const readLines = database.prepare(
    'SELECT seq, body, check_ "check" FROM event WHERE conversation_id = ? ORDER BY seq',
  )
  // Lines have no gaps, so the last one's number is their count, which needs no walk through them.
  const readSummaries = database.prepare(
    `SELECT id conversationId, created_at createdAt, updated_at updatedAt,
            (SELECT coalesce(max(seq), 0) FROM event WHERE conversation_id = conversation.id) lines
     FROM conversation ORDER BY updated_at DESC, rowid DESC`,
  )
  const copyAside = database.prepare(
    `INSERT INTO set_aside (conversation_id, reason, at, snapshot, lines)
     SELECT id, ?2, ${now}, snapshot,
            (SELECT json_group_array(json_object('seq', seq, 'body', body, 'check', check_) ORDER BY seq)
             FROM event WHERE conversation_id = ?1)
     FROM conversation WHERE id = ?1 RETURNING id`,
  )
  const deleteConversation = database.prepare('DELETE FROM conversation WHERE id = ?')
  const deleteLines = database.prepare('DELETE FROM event WHERE conversation_id = ?')
  const deleteAside = database.prepare('DELETE FROM set_aside WHERE conversation_id = ?')

  function transaction<T>(work: () => T, begin = 'BEGIN IMMEDIATE'): T {
    database.exec(begin)
    try {
      const result = work()
      database.exec('COMMIT')
      return result
    } catch (error) {
      rollback()
      throw toStoreError(error, file)
    }
  }

  function rollback(): void {
    try {
      database.exec('ROLLBACK')
    } catch {
      // After a full disk and the like SQLite has done it already.
    }
  }

  function write({ conversationId, snapshot, lines }: StoreWrite): void {
    for (const line of lines) insert(conversationId, line)
    upsert.run(conversationId, snapshot)
  }

  function insert(conversationId: string, { seq, body, check }: StoredLine): void {
    if (Number(insertLine.run(conversationId, seq, body, check).changes) === 1) return
    const there = Existing.optional().parse(readLine.get(conversationId, seq) ?? undefined)
    if (there === undefined) {
      const message = `Line ${seq} cannot be kept in ${file}: the one before it is not there; was the conversation deleted?`
      throw storeError('gap', message)
    }
    // A write that was retried because its answer was lost.
    if (there.body === body && there.check === check) return
    const message = `Line ${seq} is in ${file} already and differs: somebody else wrote it; load the conversation again.`
    throw storeError('conflict', message)
  }

  function attempt(writes: readonly StoreWrite[]): LlmError | undefined {
    try {
      transaction(() => {
        for (const one of writes) write(one)
      })
      return undefined
    } catch (error) {
      return toStoreError(error, file)
    }
  }

  return {
    commit(writes) {
      const failure = attempt(writes)
      if (failure === undefined) return writes.map(() => undefined)
      return writes.length === 1 ? [failure] : writes.map((one) => attempt([one]))
    },
    // In a transaction, so that a reader beside the writer sees one moment.
    load: (conversationId) =>
      transaction(() => {
        const found = Snapshot.optional().parse(readSnapshot.get(conversationId) ?? undefined)
        return found && { snapshot: found.snapshot, lines: Lines.parse(readLines.all(conversationId)) }
      }, 'BEGIN'),
    list: () => Summaries.parse(readSummaries.all()),
    setAside: (conversationId, reason) =>
      transaction(() => {
        const row = copyAside.get(conversationId, reason) ?? undefined
        if (row === undefined) throw storeError('missing', `${file} holds no such conversation to set aside.`)
        deleteLines.run(conversationId)
        deleteConversation.run(conversationId)
        return Place.parse(row).id
      }),
    // What was set aside goes too: whoever deletes a conversation wants its words gone.
    delete: (conversationId) =>
      transaction(() => {
        deleteLines.run(conversationId)
        const aside = Number(deleteAside.run(conversationId).changes)
        return Number(deleteConversation.run(conversationId).changes) + aside > 0
      }),
  }
}
