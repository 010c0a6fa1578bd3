import { once } from 'node:events'
import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { database, folder, line, lines, opened, storeAt } from './sqlite-support.ts'

/** Which of the store's files this process has open. Only Linux tells. */
async function openFiles(file: string): Promise<string[]> {
  if (process.platform !== 'linux') return []
  const handles = await readdir('/proc/self/fd')
  const paths = await Promise.all(handles.map((handle) => readlink(`/proc/self/fd/${handle}`).catch(() => '')))
  return paths.filter((path) => path.startsWith(file))
}

const refused = (fault: string, message: RegExp = /./) => ({
  name: 'LlmError',
  code: 'store',
  retryable: false,
  fault,
  message: expect.stringMatching(message),
})

describe('what is kept in a SQLite file', () => {
  it('comes back as it was, also in the next run', async () => {
    const { store, file } = await opened()
    const body = '{"text":"«Grüß Gott» 你好 👋\\n\\u0000"}'
    await store.commit({ conversationId: 'a', snapshot: '{"n":1}', lines: [line(1, body), line(2)] })
    await store.commit({ conversationId: 'a', snapshot: '{"n":2}', lines: [line(3)] })
    const kept = { snapshot: '{"n":2}', lines: [line(1, body), line(2), line(3)] }
    expect(await store.load('a')).toEqual(kept)
    await store.close()
    const next = storeAt(file)
    expect(await next.open()).toEqual({})
    expect(await next.load('a')).toEqual(kept)
    expect(await next.load('b')).toBeUndefined()
  })

  it('a conversation without a line is one', async () => {
    const { store } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: [] })
    expect(await store.load('a')).toEqual({ snapshot: '{}', lines: [] })
    expect(await store.list()).toMatchObject([{ conversationId: 'a', lines: 0 }])
  })

  it('lines come by their number, however many', async () => {
    const { store } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 9) })
    await store.commit({ conversationId: 'b', snapshot: '{}', lines: lines(1, 3) })
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(10, 1_200) })
    expect((await store.load('a'))?.lines).toEqual(lines(1, 1_200))
  })

  it('is listed newest first, with its times', async () => {
    const { store } = await opened()
    for (const [id, upTo] of [['a', 1] as const, ['b', 2] as const, ['c', 3] as const])
      await store.commit({ conversationId: id, snapshot: '{}', lines: lines(1, upTo) })
    const before = await store.list()
    expect(before.map(({ conversationId, lines: count }) => [conversationId, count])).toEqual([
      ['c', 3],
      ['b', 2],
      ['a', 1],
    ])
    const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/u
    const [newest] = before
    expect(newest?.createdAt).toMatch(iso)
    // until the wall clock has moved on by its millisecond
    let list = before
    do {
      await store.commit({ conversationId: 'a', snapshot: '{}', lines: [] })
      list = await store.list()
    } while (list.find(({ conversationId }) => conversationId === 'a')?.updatedAt === newest?.updatedAt)
    expect(list[0]).toMatchObject({ conversationId: 'a', createdAt: before[2]?.createdAt })
    expect(list[0]?.updatedAt).toMatch(iso)
  })

  it('is gone once deleted, and only then', async () => {
    const { store } = await opened()
    for (const id of ['a', 'b']) await store.commit({ conversationId: id, snapshot: '{}', lines: lines(1, 2) })
    expect(await store.delete('a')).toBe(true)
    expect(await store.delete('a')).toBe(false)
    expect(await store.load('a')).toBeUndefined()
    expect(await store.load('b')).toEqual({ snapshot: '{}', lines: lines(1, 2) })
    await store.commit({ conversationId: 'a', snapshot: 'new', lines: [line(1, 'new')] })
    expect(await store.load('a')).toEqual({ snapshot: 'new', lines: [line(1, 'new')] })
  })
})

describe('the words of a conversation', () => {
  const secret = 'nobody else may read this '
  const found = async (file: string) => {
    const names = await readdir(join(file, '..'))
    const files = await Promise.all(names.map((name) => readFile(join(file, '..', name), 'latin1')))
    return names.filter((_, at) => files[at]?.includes(secret))
  }

  it('are in no byte of its files once it is deleted, short or long, also what was set aside', async () => {
    const { store, file } = await opened()
    const write = (conversationId: string) =>
      store.commit({
        conversationId,
        snapshot: secret,
        lines: [line(1, secret), line(2, secret.repeat(1_000)), ...lines(3, 200)],
      })
    for (const id of ['a', 'aside', 'b']) await write(id)
    await store.setAside('aside', secret)
    await store.commit({ conversationId: 'kept', snapshot: '{}', lines: lines(1, 3) })
    expect(await found(file)).toContain('conversations.db-wal')
    for (const id of ['a', 'b', 'aside']) await store.delete(id)
    expect(await found(file)).toEqual([])
    await store.close()
    expect(await found(file)).toEqual([])
    expect((await storeAt(file).load('kept'))?.lines).toEqual(lines(1, 3))
  })

  it('are gone at the end where a reader was in the middle of something', async () => {
    const { store, file } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: [line(1, secret)] })
    const reader = await database(file)
    reader.exec('BEGIN')
    reader.prepare('SELECT id FROM conversation').all()
    expect(await store.delete('a')).toBe(true)
    reader.exec('ROLLBACK')
    await store.close()
    expect(await found(file)).toEqual([])
  })
})

describe('a commit', () => {
  it('that is asked twice is kept once', async () => {
    const { store } = await opened()
    const write = { conversationId: 'a', snapshot: '{}', lines: lines(1, 3) }
    await store.commit(write)
    await store.commit(write)
    expect(await store.load('a')).toEqual({ snapshot: '{}', lines: lines(1, 3) })
  })

  it('that says other words for a line is refused, and changes nothing', async () => {
    const { store } = await opened()
    await store.commit({ conversationId: 'a', snapshot: 'old', lines: lines(1, 2) })
    const other = store.commit({ conversationId: 'a', snapshot: 'new', lines: [line(2, 'secret'), line(3)] })
    await expect(other).rejects.toMatchObject(refused('conflict', /^Line 2 .* load the conversation again\.$/u))
    await expect(other).rejects.not.toThrow(/secret/u)
    const late = store.commit({ conversationId: 'a', snapshot: 'new', lines: [line(3), line(4), line(1, 'other')] })
    await expect(late).rejects.toMatchObject(refused('conflict'))
    expect(await store.load('a')).toEqual({ snapshot: 'old', lines: lines(1, 2) })
  })

  it('that would leave a gap is refused', async () => {
    const { store } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 2) })
    await expect(store.commit({ conversationId: 'a', snapshot: '{}', lines: [line(4)] })).rejects.toMatchObject(
      refused('gap', /Line 4 .* deleted/u),
    )
    await expect(store.commit({ conversationId: 'b', snapshot: '{}', lines: [line(2)] })).rejects.toMatchObject(
      refused('gap'),
    )
    expect(await store.load('b')).toBeUndefined()
  })

  it('of a form that no line has is refused, and the next one works', async () => {
    const { store } = await opened()
    const odd = store.commit({ conversationId: 'a', snapshot: '{}', lines: [line(1.5, 'secret')] })
    await expect(odd).rejects.toMatchObject(refused('bad-write'))
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: [line(1)] })
    expect(await store.load('a')).toEqual({ snapshot: '{}', lines: [line(1)] })
  })

  it('resolves for itself among many at once', async () => {
    const { store } = await opened()
    await store.commit({ conversationId: 'taken', snapshot: 'old', lines: lines(1, 1) })
    const ids = Array.from({ length: 40 }, (_, at) => (at % 10 === 3 ? 'taken' : `c${at}`))
    const results = await Promise.allSettled(
      ids.map((conversationId) => store.commit({ conversationId, snapshot: 'new', lines: [line(1, 'mine')] })),
    )
    expect(results.map(({ status }) => status)).toEqual(ids.map((id) => (id === 'taken' ? 'rejected' : 'fulfilled')))
    expect(await store.load('taken')).toEqual({ snapshot: 'old', lines: lines(1, 1) })
    for (const id of ids.filter((one) => one !== 'taken'))
      expect(await store.load(id)).toEqual({ snapshot: 'new', lines: [line(1, 'mine')] })
  })

  it('shares the sync of those that came while the disk was busy', async () => {
    const { store, file } = await opened()
    const logBytes = async (ids: string[]) => {
      const before = (await stat(`${file}-wal`)).size
      const long = { conversationId: `busy-${ids[0]}`, snapshot: '{}', lines: [line(1, 'x'.repeat(300_000))] }
      const busy = store.commit(long)
      const write = (conversationId: string) => store.commit({ conversationId, snapshot: '{}', lines: lines(1, 1) })
      for (const id of ids) if (id.startsWith('one')) await write(id)
      await Promise.all([busy, ...ids.filter((id) => id.startsWith('all')).map(write)])
      return (await stat(`${file}-wal`)).size - before
    }
    const one = await logBytes(Array.from({ length: 50 }, (_, at) => `one-${at}`))
    const all = await logBytes(Array.from({ length: 50 }, (_, at) => `all-${at}`))
    // Each transaction writes its pages anew; those of one transaction are mostly the same.
    expect(all).toBeLessThan(one * 0.8)
  })

  it('that follows one which failed does not overtake it', async () => {
    const { store } = await opened()
    await store.commit({ conversationId: 'a', snapshot: 'old', lines: lines(1, 1) })
    const results = await Promise.allSettled([
      store.commit({ conversationId: 'b', snapshot: 'other', lines: lines(1, 1) }),
      store.commit({ conversationId: 'a', snapshot: 'new', lines: [line(1, 'other'), line(2)] }),
      store.commit({ conversationId: 'a', snapshot: 'newer', lines: [line(3)] }),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    expect(await store.load('a')).toEqual({ snapshot: 'old', lines: lines(1, 1) })
  })

  it('on a full disk may be tried again, and is kept once there is room', async () => {
    const { store } = await opened({ maxPages: 40 })
    const big = (conversationId: string) => ({
      conversationId,
      snapshot: '{}',
      lines: [line(1, 'x'.repeat(60_000)), line(2, 'y'.repeat(20_000))],
    })
    await store.commit(big('first'))
    await expect(store.commit(big('second'))).rejects.toMatchObject({
      ...refused('full', /is full; free some room/u),
      retryable: true,
      cause: expect.objectContaining({ message: expect.stringMatching(/database or disk is full/u) }),
    })
    expect(await store.load('second')).toBeUndefined()
    await store.commit({ conversationId: 'small', snapshot: '{}', lines: [line(1)] })
    await store.delete('first')
    await store.commit(big('second'))
    expect(await store.load('second')).toEqual({ snapshot: '{}', lines: big('second').lines })
  })
})

describe('a conversation that is set aside', () => {
  it('is kept unchanged where the answer says', async () => {
    const { store, file } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{"n":1}', lines: [line(1, 'not JSON: "'), line(2)] })
    await store.commit({ conversationId: 'b', snapshot: '{}', lines: lines(1, 1) })
    expect(await store.setAside('a', 'its chain is broken')).toBe(`set_aside 1 in ${file}`)
    expect(await store.load('a')).toBeUndefined()
    expect(await store.list()).toMatchObject([{ conversationId: 'b' }])
    await store.commit({ conversationId: 'a', snapshot: 'anew', lines: lines(1, 1) })
    expect(await store.setAside('a', 'again')).toBe(`set_aside 2 in ${file}`)
    await store.close()
    const rows = (await database(file)).prepare('SELECT * FROM set_aside').all()
    expect(rows).toMatchObject([
      {
        id: 1,
        conversation_id: 'a',
        reason: 'its chain is broken',
        snapshot: '{"n":1}',
        lines: JSON.stringify([line(1, 'not JSON: "'), line(2)]),
      },
      { id: 2, snapshot: 'anew' },
    ])
  })

  it('goes with the conversation when that is deleted', async () => {
    const { store, file } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 1) })
    await store.setAside('a', 'odd')
    expect(await store.delete('a')).toBe(true)
    await store.close()
    expect((await database(file)).prepare('SELECT * FROM set_aside').all()).toEqual([])
  })

  it('must be there', async () => {
    const { store } = await opened()
    await expect(store.setAside('a', 'odd')).rejects.toMatchObject(refused('missing'))
  })
})

describe('a store that is closed', () => {
  it('has finished what was asked before, and refuses what comes after', async () => {
    const { store, file } = await opened()
    const asked = Array.from({ length: 20 }, (_, at) =>
      store.commit({ conversationId: `c${at}`, snapshot: '{}', lines: lines(1, 1) }),
    )
    const closed = store.close()
    await expect(store.commit({ conversationId: 'late', snapshot: '{}', lines: [] })).rejects.toMatchObject(
      refused('closed', /closed; make another one/u),
    )
    await closed
    await Promise.all(asked)
    await expect(store.list()).rejects.toMatchObject(refused('closed'))
    await expect(store.open()).rejects.toMatchObject(refused('closed'))
    await store.close()
    const next = storeAt(file)
    expect(await next.list()).toHaveLength(20)
  })

  it('leaves no thread, no open file, and one file beside an empty lock', async () => {
    const started = once(process, 'worker')
    const { store, file } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 1) })
    const thread = z.tuple([z.instanceof(Worker)]).parse(await started)[0]
    expect(thread.threadId).toBeGreaterThan(0)
    expect(await openFiles(file)).not.toEqual([])
    await store.close()
    // what Node says of a thread that is over
    expect(thread.threadId).toBe(-1)
    expect(await openFiles(file)).toEqual([])
    expect((await readdir(join(file, '..'))).toSorted()).toEqual(['conversations.db', 'conversations.db-lock'])
  })

  it('need not have been opened', async () => {
    const file = join(await folder(), 'conversations.db')
    await storeAt(file).close()
    expect(await readdir(join(file, '..'))).toEqual([])
  })
})

describe('a reader', () => {
  it('sees what the writer has kept, and changes nothing', async () => {
    const { store, file } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 2) })
    const reader = storeAt(file, { readOnly: true })
    expect(await reader.open()).toEqual({})
    await store.commit({ conversationId: 'b', snapshot: '{}', lines: lines(1, 1) })
    expect(await reader.load('a')).toEqual({ snapshot: '{}', lines: lines(1, 2) })
    expect((await reader.list()).map(({ conversationId }) => conversationId)).toEqual(['b', 'a'])
    for (const write of [
      () => reader.commit({ conversationId: 'a', snapshot: '{}', lines: [line(3)] }),
      () => reader.delete('a'),
      () => reader.setAside('a', 'odd'),
    ])
      await expect(write()).rejects.toMatchObject(refused('read-only', /open it without readOnly/u))
    await reader.close()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: [line(3)] })
    await store.close()
    const later = storeAt(file, { readOnly: true })
    expect((await later.load('a'))?.lines).toEqual(lines(1, 3))
  })

  it('needs a file that is there', async () => {
    const file = join(await folder(), 'conversations.db')
    await expect(storeAt(file, { readOnly: true }).open()).rejects.toMatchObject(
      refused('missing', /There are no conversations at/u),
    )
    expect(await readdir(join(file, '..'))).toEqual([])
  })
})
