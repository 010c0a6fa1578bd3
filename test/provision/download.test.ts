import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { download } from '../../src/provision/download.ts'
import { handClock } from '../support/hand-clock.ts'
import { breakOff, fileServer, serve, type FileServer } from './file-server.ts'

const bytes = randomBytes(300_000)
const sha256 = createHash('sha256').update(bytes).digest('hex')

describe('download', () => {
  let folder: string
  let partPath: string
  let server: FileServer | undefined
  const clock = handClock()

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colloquy-download-'))
    partPath = join(folder, 'model.part')
  })
  afterEach(async () => {
    await server?.close()
    await rm(folder, { recursive: true, force: true })
    if (clock.pending() > 0) throw new Error('a timer was left behind')
  })
  const run = (more: { signal?: AbortSignal; onProgress?: (received: number) => void } = {}) =>
    download({ url: `${server?.url}/model.gguf`, partPath, sha256, clock, ...more })

  it('brings a file, tells how far it is, and verifies it', async () => {
    server = await fileServer((request, response) => serve(bytes, request, response))
    const seen: number[] = []
    await run({ onProgress: (received) => seen.push(received) })
    expect(bytes.equals(await readFile(partPath))).toBe(true)
    expect(seen.at(-1)).toBe(bytes.length)
  })

  it('an interrupted download is resumed where it stopped', async () => {
    server = await fileServer((request, response, at) =>
      at === 0 ? breakOff(bytes, 100_000, response) : serve(bytes, request, response),
    )
    await expect(run()).rejects.toMatchObject({ code: 'connection', fault: 'cut' })
    const { size } = await stat(partPath)
    await run()
    expect(server.ranges).toEqual(['', size === 0 ? '' : `bytes=${size}-`])
    expect(bytes.equals(await readFile(partPath))).toBe(true)
  })

  it('a server that knows no ranges starts again from the top', async () => {
    server = await fileServer((_request, response) => response.end(bytes))
    await writeFile(partPath, 'old beginning')
    await run()
    expect(bytes.equals(await readFile(partPath))).toBe(true)
  })

  it('a part that is the whole file is taken as it is', async () => {
    server = await fileServer((request, response) => serve(bytes, request, response))
    await writeFile(partPath, bytes)
    await run()
    expect(server.ranges).toEqual([`bytes=${bytes.length}-`])
  })

  it('another file than the one expected is thrown away', async () => {
    server = await fileServer((_request, response) => response.end('something else'))
    await expect(run()).rejects.toMatchObject({ code: 'protocol', fault: 'sha256' })
    expect(existsSync(partPath)).toBe(false)
  })

  it('a status is an error and leaves nothing', async () => {
    server = await fileServer((_request, response) => response.writeHead(404).end('no'))
    await expect(run()).rejects.toMatchObject({ code: 'http', status: 404 })
    expect(existsSync(partPath)).toBe(false)
  })

  it('a server that is not there is one line', async () => {
    server = await fileServer(() => undefined)
    await server.close()
    await expect(run()).rejects.toMatchObject({ code: 'connection', fault: 'unreachable' })
  })

  it('a server that falls silent is left after its time', async () => {
    server = await fileServer((_request, response) => {
      response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 1_000))
    })
    const late = run({ onProgress: () => queueMicrotask(() => clock.advance(31_000)) })
    await expect(late).rejects.toMatchObject({ code: 'connection', fault: 'time-limit' })
  })

  it('a server that never answers is left after its time', async () => {
    server = await fileServer(() => clock.advance(16_000))
    await expect(run()).rejects.toMatchObject({ code: 'connection', fault: 'time-limit' })
  })

  it('an abort is no error of ours, and keeps the part', async () => {
    const controller = new AbortController()
    server = await fileServer((_request, response) => {
      response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 1_000))
    })
    const stopped = run({ signal: controller.signal, onProgress: () => controller.abort(new Error('ctrl-c')) })
    await expect(stopped).rejects.toThrow('ctrl-c')
    expect(existsSync(partPath)).toBe(true)
  })
})
