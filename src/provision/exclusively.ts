import { hostname } from 'node:os'
import { lstat, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Clock } from '../../machines/vocabulary.ts'
import { codeOf } from './faults.ts'
import { isOwn } from './own-file.ts'

const beatMs = 2_000
const lookMs = 300
/** A lock that nobody has touched for this long belongs to nobody. */
const staleMs = 15_000

const Holder = z.object({ pid: z.number(), host: z.string() })
const held = new Set<string>()

export interface ExclusiveOptions {
  clock: Clock
  signal?: AbortSignal | undefined
  /** Called once when another process has the lock. */
  onWait?: () => void
}

/**
 * Runs `work` while holding a lock file, so that two processes never provision the same thing at once. Waits for the
 * other one; a lock whose process is gone, or that stands still, is taken over. Rejects with `config` where the lock is
 * no plain file.
 */
export async function exclusively<T>(path: string, options: ExclusiveOptions, work: () => Promise<T>): Promise<T> {
  await acquire(path, options)
  held.add(path)
  const stopBeating = beat(path, options.clock)
  try {
    return await work()
  } finally {
    stopBeating()
    held.delete(path)
    await rm(path, { force: true })
  }
}

async function acquire(path: string, { clock, signal, onWait }: ExclusiveOptions): Promise<void> {
  let seen: { mtimeMs: number; sinceMs: number } | undefined
  for (let tries = 0; ; tries++) {
    signal?.throwIfAborted()
    try {
      await writeFile(path, JSON.stringify({ pid: process.pid, host: hostname() }), { flag: 'wx' })
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    if (tries === 0) onWait?.()
    const mtimeMs = await touchedAt(path)
    if (mtimeMs === undefined) continue
    if (seen === undefined || seen.mtimeMs !== mtimeMs) seen = { mtimeMs, sinceMs: clock.now() }
    if ((await orphaned(path)) || clock.now() - seen.sinceMs > staleMs) await takeAway(path, mtimeMs)
    else await pause(clock, lookMs, signal)
  }
}

async function touchedAt(path: string): Promise<number | undefined> {
  try {
    return (await isOwn(path)) ? (await lstat(path)).mtimeMs : undefined
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** True where the holder is known to be gone. A lock that is just being written is empty: not yet. */
async function orphaned(path: string): Promise<boolean> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
  if (text === '') return false
  const holder = Holder.safeParse(parsed(text))
  if (!holder.success || holder.data.host !== hostname()) return false
  if (holder.data.pid === process.pid) return !held.has(path)
  try {
    process.kill(holder.data.pid, 0)
    return false
  } catch (error) {
    return codeOf(error) === 'ESRCH'
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not ours, or half written: the heartbeat decides.
    return undefined
  }
}

/** By rename, so that of two that find the same stale lock only one takes it away. */
async function takeAway(path: string, mtimeMs: number): Promise<void> {
  if ((await touchedAt(path)) !== mtimeMs) return
  const aside = `${path}.stale-${process.pid}`
  try {
    await rename(path, aside)
    await rm(aside, { force: true })
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

function beat(path: string, clock: Clock): () => void {
  let cancel = () => {}
  const next = () => {
    cancel = clock.schedule(() => {
      const now = clock.now() / 1_000
      // The lock may just have been given back; nothing is lost then.
      utimes(path, now, now).catch(() => undefined)
      next()
    }, beatMs)
  }
  next()
  return () => cancel()
}

/** Resolves after `ms`; rejects with the signal's reason. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = clock.schedule(() => {
      signal?.removeEventListener('abort', leave)
      resolve()
    }, ms)
    signal?.addEventListener('abort', leave, { once: true })
  })
}
