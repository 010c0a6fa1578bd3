import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LlmError } from '../../src/backends/contract.ts'
import { readGgufHeader } from '../../src/backends/embedded/gguf-header.ts'
import { writeTinyGguf } from '../../src/testing/tiny-gguf.ts'

describe('readGgufHeader', () => {
  let folder: string
  let whole: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colloquy-gguf-'))
    whole = join(folder, 'tiny.gguf')
    await writeTinyGguf(whole, { contextTokens: 1_234 })
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('tells what a model says of itself', async () => {
    expect(await readGgufHeader(whole)).toMatchObject({
      architecture: 'llama',
      name: 'tiny noise',
      trainedContextTokens: 1_234,
      hasChatTemplate: true,
    })
  })

  it.each([
    ['there is no such file', async () => join(folder, 'none.gguf')],
    ['it is a folder', async () => folder],
    ['it is not a GGUF model file', () => written('notes.gguf', Buffer.from('# just some notes, and long enough'))],
    ['it is not a GGUF model file', () => written('empty.gguf', Buffer.alloc(0))],
    ['its GGUF version 9 is not supported', () => changed('newer.gguf', (bytes) => bytes.writeUInt32LE(9, 4))],
    ['it is cut off; download it again', () => cut('short.gguf', 200_000)],
    ['it is corrupt or cut off; download it again', () => cut('shorter.gguf', 3_000)],
  ])('refuses a file in one line: %s', async (why, make) => {
    const path = await make()
    const error: unknown = await readGgufHeader(path).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(LlmError)
    expect(error).toMatchObject({ code: 'config', message: `The model file ${path} cannot be used: ${why}.` })
  })

  it.skipIf(process.platform === 'win32')('82: a pipe is refused and not waited for', async () => {
    const path = join(folder, 'pipe.gguf')
    execFileSync('mkfifo', [path])
    await expect(readGgufHeader(path)).rejects.toThrow('it is a pipe or a device')
  })

  it('bytes at random are refused, never a crash', async () => {
    const header = (await readFile(whole)).subarray(0, 4_000)
    await fc.assert(
      fc.asyncProperty(fc.nat(3_999), fc.uint8Array({ minLength: 1, maxLength: 40 }), async (at, noise) => {
        const bytes = Buffer.from(header)
        bytes.set(noise.subarray(0, bytes.length - at), at)
        await expect(readGgufHeader(await written('random.gguf', bytes))).rejects.toBeInstanceOf(LlmError)
      }),
      { numRuns: 200 },
    )
  })

  async function written(name: string, bytes: Buffer): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, bytes)
    return path
  }
  async function changed(name: string, change: (bytes: Buffer) => void): Promise<string> {
    const bytes = await readFile(whole)
    change(bytes)
    return written(name, bytes)
  }
  async function cut(name: string, length: number): Promise<string> {
    const path = await written(name, await readFile(whole))
    await truncate(path, length)
    return path
  }
})
