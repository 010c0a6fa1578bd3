import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exclusively } from '../../src/provision/exclusively.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { settlingClock } from '../support/settling-clock.ts'

describe('exclusively', () => {
  let folder: string
  let path: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colloquy-lock-'))
    path = join(folder, 'thing.lock')
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('one works at a time, and the lock goes with the work', async () => {
    let working = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, ++working)
      await new Promise((resolve) => setImmediate(resolve))
      working--
    }
    await Promise.all([1, 2, 3].map(() => exclusively(path, { clock: systemClock }, work)))
    expect(most).toBe(1)
    expect(existsSync(path)).toBe(false)
  })

  it('work that fails gives the lock back', async () => {
    const work = () => Promise.reject(new Error('broken'))
    await expect(exclusively(path, { clock: systemClock }, work)).rejects.toThrow('broken')
    expect(existsSync(path)).toBe(false)
  })

  it.each([
    ['of a process that is gone', JSON.stringify({ pid: 2 ** 30, host: hostname() })],
    ['of this very process number, before a restart', JSON.stringify({ pid: process.pid, host: hostname() })],
  ])('a lock %s is taken over at once', async (_whose, content) => {
    await writeFile(path, content)
    expect(await exclusively(path, { clock: systemClock }, () => Promise.resolve('done'))).toBe('done')
  })

  it('a lock that cannot be read is taken over when nobody has touched it for long', async () => {
    await writeFile(path, 'not ours')
    const clock = settlingClock()
    let done = false
    const running = exclusively(path, { clock }, () => Promise.resolve()).then(() => {
      done = true
    })
    // File operations settle in their own time; the clock moves on until the work is done.
    while (!done) await clock.advance(500)
    await running
    expect(clock.now()).toBeGreaterThan(15_000)
    expect(clock.pending).toBe(0)
  })

  it('waiting can be left', async () => {
    await writeFile(path, JSON.stringify({ pid: process.ppid, host: hostname() }))
    const controller = new AbortController()
    const waits: string[] = []
    const options = {
      clock: systemClock,
      signal: controller.signal,
      onWait: () => {
        waits.push('waiting')
        queueMicrotask(() => controller.abort(new Error('left')))
      },
    }
    await expect(exclusively(path, options, () => Promise.resolve())).rejects.toThrow('left')
    expect(waits).toEqual(['waiting'])
    expect(existsSync(path)).toBe(true)
  })
})
