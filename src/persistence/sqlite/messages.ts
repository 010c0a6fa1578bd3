import { z } from 'zod'
import { SqliteDriverName } from './driver.ts'

/** What the library and the thread that runs SQLite say to each other. */

export const StoreThreadSettings = z.object({
  /** Absolute. */
  file: z.string(),
  readOnly: z.boolean(),
  driver: SqliteDriverName.exactOptional(),
  /** SQLite's `max_page_count`; beyond it the disk counts as full. */
  maxPages: z.number().int().exactOptional(),
  /** For a reader that happens to hold a lock; another writer of ours cannot be there. */
  busyMs: z.number().int().default(2_000),
})
export type StoreThreadSettings = z.output<typeof StoreThreadSettings>
export type StoreThreadOptions = z.input<typeof StoreThreadSettings>

const line = z.object({ seq: z.number().int().min(1), body: z.string(), check: z.string() })
const setAside = z.object({ to: z.string(), reason: z.string() })
const summary = z.object({
  conversationId: z.string(),
  lines: z.number(),
  createdAt: z.string(),
  updatedAt: z.string(),
})

const id = z.number()
const conversationId = z.string()
const commit = z.object({
  type: z.literal('commit'),
  id,
  write: z.object({ conversationId, snapshot: z.string(), lines: z.array(line) }),
})
export type CommitCommand = z.output<typeof commit>

/** Each is answered by one report of the same `id`, in the order they were sent. `open` comes first, `close` last. */
export const StoreCommand = z.discriminatedUnion('type', [
  z.object({ type: z.literal('open'), id, mayPutAside: z.boolean() }),
  z.object({ type: z.literal('load'), id, conversationId }),
  commit,
  z.object({ type: z.literal('set-aside'), id, conversationId, reason: z.string() }),
  z.object({ type: z.literal('list'), id }),
  z.object({ type: z.literal('delete'), id, conversationId }),
  z.object({ type: z.literal('close'), id }),
])
export type StoreCommand = z.output<typeof StoreCommand>

export const StoreReport = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opened'), id, setAside: setAside.exactOptional() }),
  z.object({
    type: z.literal('loaded'),
    id,
    // What was changed may be numbered anyhow; its reader says so.
    conversation: z.object({ snapshot: z.string(), lines: z.array(line.extend({ seq: z.number() })) }).exactOptional(),
  }),
  z.object({ type: z.literal('committed'), id }),
  z.object({ type: z.literal('put-aside'), id, to: z.string() }),
  z.object({ type: z.literal('listed'), id, summaries: z.array(summary) }),
  z.object({ type: z.literal('deleted'), id, existed: z.boolean() }),
  z.object({ type: z.literal('closed'), id }),
  z.object({
    type: z.literal('failed'),
    id,
    message: z.string(),
    retryable: z.boolean(),
    fault: z.string(),
    /** What SQLite or the system said. */
    cause: z.string().exactOptional(),
  }),
])
export type StoreReport = z.output<typeof StoreReport>
