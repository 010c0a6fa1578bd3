import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Config } from '../../src/config/config.ts'
import { sqliteDriver } from '../../src/persistence/sqlite/driver.ts'
import { openStoreFile, type StoreFile } from '../../src/persistence/sqlite/file.ts'
import { folder } from './sqlite-support.ts'

/** Opened in this thread, not in one of its own. */
async function openHere(file: string): Promise<StoreFile> {
  const settings = { file, readOnly: false, busyMs: 100, mayPutAside: false }
  const opened = openStoreFile(await sqliteDriver(), settings)
  onTestFinished(() => opened.close())
  return opened
}

const settingsOf =
  ({ database }: StoreFile) =>
  (name: string): unknown =>
    Object.values(Object(database.prepare(`PRAGMA ${name}`).get()))[0]

describe('the file that is written', () => {
  it('is synced to the disk itself, also where the system has a lesser sync', async () => {
    const set = settingsOf(await openHere(join(await folder(), 'conversations.db')))
    expect(set('synchronous')).toBe(2)
    expect(set('fullfsync')).toBe(1)
    expect(set('checkpoint_fullfsync')).toBe(1)
  })
  it('waits for no reader when its log is emptied, and for a lock as before', async () => {
    const opened = await openHere(join(await folder(), 'conversations.db'))
    const set = settingsOf(opened)
    expect(set('busy_timeout')).toBe(100)
    opened.checkpoint()
    expect(set('busy_timeout')).toBe(100)
  })

  it('is refused to a second writer before the library stops waiting for a store', async () => {
    const file = join(await folder(), 'conversations.db')
    await openHere(file)
    const from = performance.now()
    await expect(openHere(file)).rejects.toMatchObject({ fault: 'in-use' })
    expect(performance.now() - from).toBeLessThan(Config.parse({}).timeouts.storeLoadMs - 100)
  })
})
