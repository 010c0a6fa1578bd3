import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fileFault, makeFolder } from '../../src/provision/faults.ts'

it('a folder is made with those above it, and is not minded when it is there', async () => {
  const root = await mkdtemp(join(tmpdir(), 'colloquy-folder-'))
  await makeFolder(join(root, 'a', 'b', 'c'))
  await makeFolder(join(root, 'a', 'b', 'c'))
  expect((await stat(join(root, 'a', 'b', 'c'))).isDirectory()).toBe(true)
  await writeFile(join(root, 'file'), '')
  await expect(makeFolder(join(root, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
  await rm(root, { recursive: true })
})

it.runIf(process.platform === 'linux')(
  'where no folder can be made it says so instead of trying for ever',
  async () => {
    const error = await makeFolder('/proc/nope/models').catch((cause: unknown) => fileFault(cause, '/proc/nope'))
    expect(error).toMatchObject({ code: 'config' })
  },
)
