import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLlmService } from '../../src/runtime/service.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { scriptedBackend } from '../../src/testing/scripted-backend.ts'
import { database, folder, lines, storeAt } from './sqlite-support.ts'

/** Every name in a folder with what is there, byte for byte. */
async function imageOf(at: string): Promise<Record<string, string>> {
  const image: Record<string, string> = {}
  for (const name of (await readdir(at)).toSorted()) {
    const path = join(at, name)
    const found = await lstat(path)
    const content = found.isFile() ? await readFile(path) : found.isSymbolicLink() ? await readlink(path) : ''
    image[name] = `${found.mode} ${found.mtimeMs} ${createHash('sha256').update(content).digest('hex')}`
  }
  return image
}

type Made = (at: string) => Promise<unknown>
const withSql =
  (sql: string): Made =>
  async (at) => {
    const other = await database(join(at, 'x.db'))
    other.exec(sql)
    other.close()
  }
const written =
  (content: string | Buffer): Made =>
  (at) =>
    writeFile(join(at, 'x.db'), content)

const others: [string, Made][] = [
  ['a text', written('my shopping list, not a database at all\n'.repeat(50))],
  ['one byte', written('x')],
  ['less than a header', written('SQLite format 3')],
  ['almost a header', written('SQLite format 4\0'.padEnd(4_096, '\0'))],
  ['a page of zeros', written(Buffer.alloc(4_096))],
  ['a header in other letters', written(Buffer.from('SQLite format 3\0'.repeat(300), 'utf16le'))],
  [
    'a link to a text',
    async (at) => {
      await writeFile(join(at, 'victim.txt'), 'precious')
      await symlink(join(at, 'victim.txt'), join(at, 'x.db'))
    },
  ],
  ['tables of another program', withSql('CREATE TABLE bookmark (url TEXT)')],
  ['a version of another program', withSql('PRAGMA user_version = 7; CREATE TABLE a (b); DROP TABLE a')],
  ['another program’s mark and nothing else', withSql('PRAGMA application_id = 1; CREATE TABLE a (b); DROP TABLE a')],
  ['our names of tables, and no mark of ours', withSql('CREATE TABLE conversation (id); CREATE TABLE event (id)')],
]
// Windows keeps neither in its file system.
if (process.platform !== 'win32') {
  others.push(['a pipe', async (at) => execFileSync('mkfifo', [join(at, 'x.db')])])
  others.push([
    'a socket',
    async (at) => {
      const server = createServer().listen(join(at, 'x.db'))
      onTestFinished(() => void server.close())
      await new Promise((resolve) => server.once('listening', resolve))
    },
  ])
}

describe('a file that was never a store', () => {
  it.each(others)('82: %s is refused in one line and left alone, to write and to read', async (_, make) => {
    const at = await folder()
    await make(at)
    const before = await imageOf(at)
    for (const readOnly of [false, true]) {
      const refused: unknown = await storeAt(join(at, 'x.db'), { readOnly })
        .open()
        .catch((error: unknown) => error)
      expect(refused).toMatchObject({ code: 'store', fault: 'foreign', retryable: false })
      expect(String(refused)).toMatch(/x\.db|victim\.txt/u)
      expect(String(refused)).not.toContain('\n')
      expect(await imageOf(at)).toEqual(before)
    }
  })

  it('82: a folder is refused and left alone', async () => {
    const at = await folder()
    await mkdir(join(at, 'x.db'))
    await expect(storeAt(join(at, 'x.db')).open()).rejects.toMatchObject({ code: 'store', fault: 'unwritable' })
    expect(await readdir(at)).toEqual(['x.db'])
    expect(await readdir(join(at, 'x.db'))).toEqual([])
  })

  it('82: an empty one is begun, as one that is not there', async () => {
    const at = await folder()
    await writeFile(join(at, 'x.db'), '')
    const store = storeAt(join(at, 'x.db'))
    expect(await store.open()).toEqual({})
    await store.commit({ conversationId: 'a', snapshot: '{}', lines: lines(1, 2) })
  })

  it('82: a service that is given one says so at once', async () => {
    const file = join(await folder(), 'notes.txt')
    await writeFile(file, 'to do')
    const clock = virtualClock()
    const service = createLlmService({
      backend: scriptedBackend({}, clock),
      clock,
      defaultModel: 'm1',
      store: storeAt(file),
    })
    await expect(service.initialize()).rejects.toThrow(
      /notes\.txt is not a SQLite file; name the one that conversations/u,
    )
    await service.close()
    expect(await readFile(file, 'utf8')).toBe('to do')
  })
})
