import { chmod, mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sqliteStore } from '../../src/persistence/sqlite/store.ts'
import { toStoreError } from '../../src/persistence/sqlite/faults.ts'
import { database, dyingThread, folder, line, lines, opened, storeAt } from './sqlite-support.ts'

const refused = (fault: string, message: RegExp) => ({
  name: 'LlmError',
  code: 'store',
  retryable: false,
  fault,
  message: expect.stringMatching(message),
})

const corrupt = (file: string): Promise<string[]> =>
  readdir(join(file, '..')).then((names) => names.filter((name) => name.includes('.corrupt-')).toSorted())

describe('a file that cannot be read', () => {
  it('is put aside as it is when it is a database no more, and the store begins anew', async () => {
    const file = join(await folder(), 'conversations.db')
    await writeFile(file, 'garbage '.repeat(2_000))
    await writeFile(`${file}-wal`, 'more of it')
    const store = storeAt(file)
    const { setAside } = await store.open()
    expect(setAside?.to).toMatch(/conversations\.db\.corrupt-\d{8}T\d{9}Z$/u)
    expect(setAside?.reason).toMatch(/not a database/u)
    expect(await readFile(setAside?.to ?? '', 'utf8')).toBe('garbage '.repeat(2_000))
    expect((await corrupt(file)).map((name) => name.replace(/.*-\w+Z/u, ''))).toEqual(
      expect.arrayContaining(['', '-wal']),
    )
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 3) })
    await store.close()
    const next = storeAt(file)
    expect(await next.open()).toEqual({})
    expect((await next.load('a'))?.lines).toEqual(lines(1, 3))
  })

  it('is put aside when its pages are damaged', async () => {
    const { store, file } = await opened()
    for (let at = 0; at < 20; at++)
      await store.commit({ conversationId: `c${at}`, snapshot: 'x'.repeat(3_000), lines: lines(1, 40) })
    await store.close()
    const { size } = await stat(file)
    const handle = await open(file, 'r+')
    // All but the first page, whose header says what the file is.
    for (let page = 4_096; page < size; page += 4_096) await handle.write(Buffer.alloc(512, 0xa5), 0, 512, page)
    await handle.close()
    const next = storeAt(file)
    const { setAside } = await next.open()
    expect(setAside?.reason).toMatch(/damaged|malformed/u)
    expect((await stat(setAside?.to ?? '')).size).toBe(size)
    expect(await next.list()).toEqual([])
    await next.commit({ conversationId: 'c1', snapshot: '{}', lines: [line(1)] })
  })

  it('is left where it is by a reader', async () => {
    const file = join(await folder(), 'conversations.db')
    await writeFile(file, 'garbage '.repeat(2_000))
    await writeFile(`${file}-lock`, '')
    const reader = storeAt(file, { readOnly: true })
    await expect(reader.open()).rejects.toMatchObject(refused('damaged', /is damaged; start the program again/u))
    expect(await corrupt(file)).toEqual([])
  })

  it('is cut short only where its last commit was cut', async () => {
    const { store, file } = await opened()
    await store.commit({ conversationId: 'a', snapshot: 'one', lines: lines(1, 1) })
    const whole = [await readFile(file), await readFile(`${file}-wal`)] as const
    await store.commit({ conversationId: 'a', snapshot: 'two', lines: [line(2)] })
    const log = await readFile(`${file}-wal`)
    await store.close()
    // As after a power cut: the file of then, and a log whose last commit is half there.
    const later = join(await folder(), 'conversations.db')
    await writeFile(later, whole[0])
    await writeFile(`${later}-wal`, log.subarray(0, Math.floor((whole[1].length + log.length) / 2)))
    const next = storeAt(later)
    expect(await next.open()).toEqual({})
    expect(await next.load('a')).toEqual({ snapshot: 'one', lines: lines(1, 1) })
  })
})

describe('rows that were changed by hand', () => {
  const changed: [string, string, object][] = [
    ['a snapshot that is gone', 'DELETE FROM conversation', { snapshot: '', lines: lines(1, 2) }],
    ['a snapshot that is no text', "UPDATE conversation SET snapshot = x'7b'", { snapshot: '{' }],
    ['a line that is no text', "UPDATE event SET body = x'00ff' WHERE seq = 1", { lines: [{ seq: 1 }, line(2)] }],
    ['a line that is half a character', "UPDATE event SET body = CAST(x'61ff62' AS TEXT) WHERE seq = 1", {}],
    ['a check that is no text', "UPDATE event SET check_ = x'ff' WHERE seq = 2", { lines: [line(1), { seq: 2 }] }],
    ['a line before the first', 'UPDATE event SET seq = 0 WHERE seq = 1', { lines: [{ seq: 0 }, line(2)] }],
    ['a line between two', 'UPDATE event SET seq = 1.5 WHERE seq = 1', { lines: [{ seq: 0 }, line(2)] }],
    ['a line without a number', "UPDATE event SET seq = x'ff' WHERE seq = 2", { lines: [line(1), { seq: 0 }] }],
    ['a line with a number beyond all', 'UPDATE event SET seq = 9223372036854775807 WHERE seq = 2', {}],
  ]
  it.each(changed)('%s: can be loaded, listed and set aside, and what comes after is kept', async (_, sql, kept) => {
    const { store, file } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 2) })
    await store.close()
    const other = await database(file)
    other.exec(sql)
    const next = storeAt(file)
    expect(await next.load('a')).toMatchObject(kept)
    await next.list()
    expect(await next.setAside('a', 'odd')).toBe(`set_aside 1 in ${file}`)
    expect(await next.load('a')).toBeUndefined()
    await next.commit({ conversationId: 'a', snapshot: 'new', lines: lines(1, 3) })
    expect(await next.load('a')).toEqual({ snapshot: 'new', lines: lines(1, 3) })
    expect(other.prepare('SELECT id FROM set_aside').all()).toHaveLength(1)
  })

  it('lines without a snapshot are deleted too, and the answer is that there were some', async () => {
    const { store, file } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 2) })
    const other = await database(file)
    other.exec('DELETE FROM conversation')
    expect(await store.delete('a')).toBe(true)
    expect(await store.delete('a')).toBe(false)
    expect(await store.load('a')).toBeUndefined()
  })

  it('what was no text is put aside as SQL writes bytes', async () => {
    const { store, file } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 2) })
    const other = await database(file)
    other.exec("UPDATE event SET body = x'00ff' WHERE seq = 1")
    await store.setAside('a', 'odd')
    expect(other.prepare('SELECT lines FROM set_aside').get()).toMatchObject({
      lines: JSON.stringify([{ ...line(1), body: "X'00FF'" }, line(2)]),
    })
  })
})

describe('a file that is not for this store', () => {
  it('is refused when a newer colloquy wrote it', async () => {
    const { store, file } = await opened()
    await store.close()
    const other = await database(file)
    other.exec('PRAGMA user_version = 7')
    const newer = refused('newer', /newer colloquy \(format 7, this one knows 1\); update colloquy/u)
    await expect(storeAt(file).open()).rejects.toMatchObject(newer)
    await expect(storeAt(file, { readOnly: true }).open()).rejects.toMatchObject(newer)
    expect(await corrupt(file)).toEqual([])
  })

  it('is refused when it is another program’s database', async () => {
    const file = join(await folder(), 'shop.db')
    const shop = await database(file)
    shop.exec('CREATE TABLE orders (id); PRAGMA user_version = 1')
    const before = await readFile(file)
    await expect(storeAt(file).open()).rejects.toMatchObject(refused('foreign', /another program/u))
    expect((await readFile(file)).equals(before)).toBe(true)
  })

  it('is taken in any journal mode', async () => {
    const { store, file } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 1) })
    await store.close()
    const other = await database(file)
    other.exec('PRAGMA journal_mode = DELETE')
    const next = storeAt(file)
    expect(await next.open()).toEqual({})
    expect((await next.load('a'))?.lines).toEqual(lines(1, 1))
  })
})

describe('a place where no file can be', () => {
  it('is made, folder by folder, for its owner alone', async () => {
    const file = join(await folder(), 'deep', 'down', 'conversations.db')
    await storeAt(file).open()
    expect((await stat(file)).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o600)
  })

  it('is refused with what to do', async () => {
    const at = await folder()
    await expect(storeAt(at).open()).rejects.toMatchObject(refused('unwritable', /is a folder; name a file in it/u))
    await writeFile(join(at, 'file'), '')
    await expect(storeAt(join(at, 'file', 'conversations.db')).open()).rejects.toMatchObject(
      refused('unwritable', /\((EEXIST|ENOTDIR)\); let the process write the file and its folder, or give another/u),
    )
    await mkdir(join(at, 'conversations.db-lock'))
    await expect(storeAt(join(at, 'conversations.db')).open()).rejects.toMatchObject(
      refused('unwritable', /conversations\.db-lock cannot be opened/u),
    )
  })

  // root may write everything
  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
    'is refused without the right to it',
    async () => {
      const { store, file } = await opened()
      await store.close()
      const words = refused('unwritable', /\(EACCES\); let the process write the file and its folder, or give another/u)
      await chmod(`${file}-lock`, 0o400)
      await expect(storeAt(file).open()).rejects.toMatchObject(words)
      await chmod(file, 0o400)
      await expect(storeAt(file).open()).rejects.toMatchObject(words)
      expect(await storeAt(file, { readOnly: true }).list()).toEqual([])
      await chmod(file, 0o000)
      await expect(storeAt(file, { readOnly: true }).open()).rejects.toMatchObject(words)
    },
  )

  it('works once it can be one', async () => {
    const at = await folder()
    const file = join(at, 'conversations.db')
    await mkdir(file)
    const store = storeAt(file)
    const write = { conversationId: 'a', snapshot: '{}', lines: lines(1, 1) }
    await expect(Promise.allSettled([store.open(), store.commit(write)])).resolves.toMatchObject([
      { reason: { fault: 'unwritable' } },
      { reason: { fault: 'unwritable' } },
    ])
    await rm(file, { recursive: true })
    expect(await store.open()).toEqual({})
    await store.commit(write)
  })
})

describe('a program that looks into the file', () => {
  it('delays commits while it writes, and they may be tried again', async () => {
    const { store, file } = await opened({ busyMs: 20 })
    const write = { conversationId: 'a', snapshot: '{}', lines: lines(1, 1) }
    const other = await database(file)
    other.exec('BEGIN IMMEDIATE')
    await expect(store.commit(write)).rejects.toMatchObject({
      ...refused('busy', /is locked by another program; close what has it open for writing\.$/u),
      retryable: true,
    })
    other.exec('ROLLBACK')
    await store.commit(write)
    expect((await store.load('a'))?.lines).toEqual(lines(1, 1))
  })

  it('does not delay the end while it reads, and all is there in the next run', async () => {
    const busyMs = 8_000
    const { store, file } = await opened({ busyMs })
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 1) })
    const other = await database(file)
    other.exec('BEGIN')
    other.prepare('SELECT id FROM conversation').all()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: [line(2)] })
    const from = performance.now()
    await store.close()
    expect(performance.now() - from).toBeLessThan(busyMs)
    const next = storeAt(file)
    expect((await next.load('a'))?.lines).toEqual(lines(1, 2))
    other.exec('ROLLBACK')
  })
})

describe('a failure that has no words of its own', () => {
  it('is told by SQLite’s name for it, without SQLite’s words', async () => {
    const { store, file } = await opened()
    const other = await database(file)
    other.exec("CREATE TRIGGER odd BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'secret words'); END")
    const write = store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 1) })
    const words = /failed \(SQLITE_CONSTRAINT, SQLite code \d+\); if it happens again, report it\.$/u
    await expect(write).rejects.toMatchObject(refused('sqlite', words))
  })

  it.each([
    [Object.assign(new TypeError('secret words'), { code: 'ERR_INVALID_ARG_TYPE' }), 'TypeError ERR_INVALID_ARG_TYPE'],
    [new RangeError('secret words'), 'RangeError'],
    [Object.assign(new Error('secret words'), { errcode: 24 }), 'SQLite code 24'],
    ['secret words', 'no error of SQLite'],
  ])('is told by its own name where SQLite has none: %s', (error, name) => {
    expect(toStoreError(error, 'a.db').message).toBe(
      `The store at a.db failed (${name}); if it happens again, report it.`,
    )
  })
})

describe('a thread that dies', () => {
  it('rejects what it was asked, and the next call starts another', async () => {
    const { store, file } = await opened()
    await store.close()
    await using _ = await dyingThread()
    const next = storeAt(file)
    await next.open()
    await next.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 1) })
    const asked = await Promise.allSettled([next.delete('b'), next.load('a'), next.list()])
    for (const one of asked)
      expect(one).toMatchObject({
        reason: {
          ...refused('thread', /The thread that writes .* ended \(code 1\); the next write starts it again\.$/u),
          retryable: true,
        },
      })
    await next.commit({ conversationId: 'a', snapshot: '{}', lines: [line(2)] })
    expect((await next.load('a'))?.lines).toEqual(lines(1, 2))
  })

  it('puts nothing aside when it starts again: nobody would hear of it', async () => {
    const { store, file } = await opened()
    await store.close()
    await using _ = await dyingThread()
    const next = storeAt(file)
    await next.open()
    await expect(next.delete('b')).rejects.toMatchObject({ fault: 'thread' })
    await writeFile(file, 'garbage '.repeat(2_000))
    const write = { conversationId: 'a', snapshot: '{}', lines: lines(1, 1) }
    await expect(next.commit(write)).rejects.toMatchObject(refused('damaged', /start the program again/u))
    expect(await corrupt(file)).toEqual([])
  })
})

describe('a file that goes away while it is in use', () => {
  it.each(['', '-lock'])('is told with the next commit: conversations.db%s', async (part) => {
    const { store, file } = await opened()
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 1) })
    await rm(`${file}${part}`)
    await expect(store.commit({ conversationId: 'a', snapshot: '{}', lines: [line(2)] })).rejects.toMatchObject(
      refused('gone', /was moved or removed while it was in use/u),
    )
  })
})

describe('options that cannot work', () => {
  it.each(['{}', '{ "file": "" }', '{ "file": 3 }', '{ "file": "a.db", "readonly": true }', 'null'])(
    '%s are refused at once',
    (options) => {
      expect(() => sqliteStore(JSON.parse(options))).toThrow("sqliteStore takes { file: 'conversations.db' }")
    },
  )
})
