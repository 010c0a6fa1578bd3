import { closeSync, existsSync, fsyncSync, openSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import type { SetAside } from '../store.ts'

/** Renames the file with all that SQLite keeps beside it, and leaves an empty one. */
export function putAside(file: string, reason: string, now: string): SetAside {
  const to = `${file}.corrupt-${now.replace('.', '')}`
  // The file last: without it, what is left beside it would be taken for the new file's.
  for (const part of ['-wal', '-shm', '']) {
    if (existsSync(`${file}${part}`)) renameOnceFree(`${file}${part}`, `${to}${part}`)
  }
  closeSync(openSync(file, 'a', 0o600))
  syncFolder(dirname(file))
  return { to, reason }
}

/** So that a new name outlives a power cut. Windows does not open folders, and does not need it. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

const pausesMs = [10, 20, 40, 80]
const HeldError = z.object({ code: z.enum(['EBUSY', 'EPERM', 'EACCES']) })

/**
 * Windows renames no file that is open: a scanner or an indexer has it for a moment. The thread sleeps meanwhile, and
 * what was asked of it waits.
 */
export function renameOnceFree(
  from: string,
  to: string,
  { rename = renameSync, sleep = sleepMs }: { rename?: typeof renameSync; sleep?: (ms: number) => void } = {},
): void {
  for (const pauseMs of pausesMs) {
    try {
      rename(from, to)
      return
    } catch (error) {
      if (!HeldError.safeParse(error).success) throw error
      sleep(pauseMs)
    }
  }
  rename(from, to)
}

function sleepMs(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
