import { z } from 'zod'
import type { SqliteDatabase } from './driver.ts'
import { storeError, toStoreError } from './faults.ts'
import type { LlmError } from '../../backends/contract.ts'
import type { StoredConversation, StoredLine, StoredSummary, StoreWrite } from '../store.ts'

const now = `strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`

/** Whoever changed the file may have left bytes in the place of text, which JSON does not take: as SQL writes them. */
const asJson = (column: string): string => `iif(typeof(${column}) = 'blob', quote(${column}), ${column})`

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
/**
 * Text is read as its bytes: whoever changed the file may have left what is no text, and libsql ends the whole process
 * over half a character. What it says is checked by the reader, which refuses it with a reason.
 */
const asBytes = (column: string, name: string): string => `CAST(${column} AS BLOB) "${name}"`
const Text = z.union([z.instanceof(Uint8Array), z.instanceof(ArrayBuffer)]).transform((bytes) => utf8.decode(bytes))

const Snapshot = z.object({ snapshot: Text })
const Lines = z.array(z.object({ seq: z.number(), body: Text, check: Text }))
const Existing = z.object({ body: Text, check: Text })
const Place = z.object({ id: z.number() })
const Summaries = z.array(z.object({ conversationId: Text, lines: z.number(), createdAt: Text, updatedAt: Text }))

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
  const readLine = database.prepare(
    `SELECT ${asBytes('body', 'body')}, ${asBytes('check_', 'check')} FROM event WHERE conversation_id = ? AND seq = ?`,
  )
  const upsert = database.prepare(
    `INSERT INTO conversation (id, snapshot, created_at, updated_at) VALUES (?, ?, ${now}, ${now})
     ON CONFLICT (id) DO UPDATE SET snapshot = excluded.snapshot, updated_at = excluded.updated_at`,
  )
  const readSnapshot = database.prepare(`SELECT ${asBytes('snapshot', 'snapshot')} FROM conversation WHERE id = ?`)
  const readLines = database.prepare(
    `SELECT iif(typeof(seq) = 'integer', CAST(seq AS REAL), 0) seq, ${asBytes('body', 'body')}, ${asBytes('check_', 'check')}
     FROM event WHERE conversation_id = ? ORDER BY event.seq`,
  )
  // Lines have no gaps, so the last one's number is their count, which needs no walk through them.
  const readSummaries = database.prepare(
    `SELECT ${asBytes('id', 'conversationId')}, ${asBytes('created_at', 'createdAt')}, ${asBytes('updated_at', 'updatedAt')},
            (SELECT CAST(coalesce(max(seq), 0) AS REAL) FROM event WHERE conversation_id = conversation.id) lines
     FROM conversation ORDER BY updated_at DESC, rowid DESC`,
  )
  const copyAside = database.prepare(
    `INSERT INTO set_aside (conversation_id, reason, at, snapshot, lines)
     SELECT ?1, ?2, ${now}, coalesce((SELECT snapshot FROM conversation WHERE id = ?1), ''),
            (SELECT json_group_array(
                      json_object('seq', ${asJson('seq')}, 'body', ${asJson('body')}, 'check', ${asJson('check_')})
                      ORDER BY seq)
             FROM event WHERE conversation_id = ?1)
     WHERE EXISTS (SELECT 1 FROM conversation WHERE id = ?1) OR EXISTS (SELECT 1 FROM event WHERE conversation_id = ?1)
     RETURNING id`,
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
        const lines = Lines.parse(readLines.all(conversationId))
        // Lines whose snapshot was lost are no new conversation: an empty snapshot is one that is refused.
        if (found === undefined && lines.length === 0) return undefined
        return { snapshot: found?.snapshot ?? '', lines }
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
        const deleted = [deleteLines, deleteAside, deleteConversation].map((one) => one.run(conversationId))
        return deleted.some(({ changes }) => Number(changes) > 0)
      }),
  }
}
