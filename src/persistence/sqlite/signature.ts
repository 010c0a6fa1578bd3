import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { storeError } from './faults.ts'

/** https://sqlite.org/fileformat.html, 1.3: how every SQLite file begins. */
const signature = 'SQLite format 3\0'

/**
 * Refuses what was never a store: a folder, a pipe, and a file that is no SQLite file. A damaged store may not begin as
 * one any more; what SQLite has left beside it says what it was. Nothing is written, here or beside it.
 */
export function refuseOther(file: string): void {
  const found = statSync(file)
  if (found.isDirectory()) {
    const message = `${file} is a folder; name a file in it, such as ${join(file, 'conversations.db')}.`
    throw storeError('unwritable', message)
  }
  // A pipe would be waited for.
  if (found.isFile() && (found.size === 0 || beginsAsSqlite(file) || wasStore(file))) return
  throw storeError('foreign', `${file} is not a SQLite file; name the one that conversations are kept in.`)
}

const wasStore = (file: string): boolean => ['-lock', '-wal'].some((part) => existsSync(`${file}${part}`))

function beginsAsSqlite(file: string): boolean {
  const bytes = Buffer.alloc(signature.length)
  const handle = openSync(file, 'r')
  try {
    // Only what was read: the signature ends with a zero, as an empty buffer does.
    return bytes.toString('latin1', 0, readSync(handle, bytes)) === signature
  } finally {
    closeSync(handle)
  }
}
