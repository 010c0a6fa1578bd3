import { createHash, type Hash } from 'node:crypto'
import { rm, type FileHandle } from 'node:fs/promises'
import type { Clock } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { codeOf } from './faults.ts'
import { openOwn } from './own-file.ts'

export interface DownloadOptions {
  url: string
  /**
   * Grows while the download runs, and stays when it is interrupted: the next attempt goes on from there. A plain file
   * or nothing; refused where it is a link.
   */
  partPath: string
  sha256: string
  clock: Clock
  signal?: AbortSignal | undefined
  onProgress?: (receivedBytes: number, totalBytes: number | undefined) => void
  fetch?: typeof fetch
  /** To the first byte. Default 15 s. */
  connectMs?: number
  /** Between two pieces. Default 30 s. */
  idleMs?: number
  /** For the whole. Default 30 minutes. */
  totalMs?: number
}

/**
 * Downloads a file into `partPath`, going on where an interrupted attempt stopped, and verifies it. Rejects with
 * `connection` (out of reach, time limit, cut), `http`, `protocol` (another file than the one expected: the part is
 * deleted), `config` (the part is no plain file) or the signal's reason.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { url, partPath, sha256, clock, signal, connectMs = 15_000, idleMs = 30_000, totalMs = 1_800_000 } = options
  const limits = new Limits(clock, signal)
  limits.keep('total', totalMs)
  const host = new URL(url).host
  let file: FileHandle | undefined
  try {
    file = await openOwn(partPath, { make: false })
    const { hash, bytes } = await alreadyThere(file)
    limits.keep('silence', connectMs)
    const headers: Record<string, string> = bytes > 0 ? { range: `bytes=${bytes}-` } : {}
    const response = await (options.fetch ?? fetch)(url, { headers, signal: limits.signal })
    if (response.status === 416) {
      // The part is as long as the file or longer: whole, or of no use. The check below decides.
      await response.body?.cancel()
      await finish(hash, sha256, partPath, host)
      return
    }
    if (!response.ok || response.body === null) {
      await response.body?.cancel()
      const message = `${host} answered ${response.status} for ${new URL(url).pathname}.`
      throw new LlmError('http', { message, status: response.status })
    }
    const resumed = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${bytes}-`)
    const running = resumed ? hash : createHash('sha256')
    let received = resumed ? bytes : 0
    const length = Number(response.headers.get('content-length') ?? Number.NaN)
    const total = Number.isFinite(length) ? received + length : undefined
    file ??= await openOwn(partPath, { make: true })
    if (!resumed) await file?.truncate(0)
    for await (const piece of response.body) {
      limits.keep('silence', idleMs)
      running.update(piece)
      await file?.appendFile(piece)
      received += piece.length
      options.onProgress?.(received, total)
    }
    if (total !== undefined && received < total) throw cut(host)
    await finish(running, sha256, partPath, host)
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof LlmError) throw cause
    const limit = limits.passed
    if (limit !== undefined) {
      const what = limit === 'total' ? `took over ${Math.round(totalMs / 60_000)} minutes` : 'fell silent'
      throw new LlmError('connection', { message: `The download from ${host} ${what}.`, cause, fault: 'time-limit' })
    }
    const ours = codeOf(cause)
    if (ours === 'ENOSPC' || ours === 'EACCES' || ours === 'EROFS' || ours === 'EDQUOT') throw cause
    if (await isCut(cause)) throw cut(host, cause)
    throw new LlmError('connection', { message: `${host} cannot be reached.`, cause, fault: 'unreachable' })
  } finally {
    limits.end()
    await file?.close()
  }
}

const cut = (host: string, cause?: unknown): LlmError =>
  new LlmError('connection', {
    message: `The download from ${host} was interrupted; the next attempt goes on from there.`,
    cause,
    fault: 'cut',
  })

async function isCut(cause: unknown): Promise<boolean> {
  return cause instanceof TypeError && cause.message === 'terminated'
}

async function alreadyThere(file: FileHandle | undefined): Promise<{ hash: Hash; bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  if (file === undefined) return { hash, bytes }
  for await (const piece of file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1_048_576 })) {
    hash.update(piece)
    bytes += piece.length
  }
  return { hash, bytes }
}

async function finish(hash: Hash, sha256: string, partPath: string, host: string): Promise<void> {
  if (hash.digest('hex') === sha256) return
  await rm(partPath, { force: true })
  const message = `${host} sent another file than the one expected (sha256 differs); it was thrown away.`
  throw new LlmError('protocol', { message, fault: 'sha256' })
}

/** A signal with time limits on the injected clock, each of which may be set anew. */
class Limits {
  passed: 'silence' | 'total' | undefined
  readonly #controller = new AbortController()
  readonly #running = new Map<string, () => void>()
  readonly #clock: Clock
  readonly signal: AbortSignal

  constructor(clock: Clock, signal: AbortSignal | undefined) {
    this.#clock = clock
    this.signal = signal ? AbortSignal.any([signal, this.#controller.signal]) : this.#controller.signal
  }

  keep(what: 'silence' | 'total', ms: number): void {
    this.#running.get(what)?.()
    const cancel = this.#clock.schedule(() => {
      this.passed = what
      this.#controller.abort(new Error('time limit'))
    }, ms)
    this.#running.set(what, cancel)
  }

  end(): void {
    for (const cancel of this.#running.values()) cancel()
  }
}
