import { lstat, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256Of } from '../backends/embedded/sha256-of.ts'
import { LlmError } from '../backends/contract.ts'
import { codeOf } from './faults.ts'
import type { CatalogueModel } from './model-catalogue.ts'

export interface InstalledModel {
  name: string
  path: string
  sizeBytes: number
  /** As published; undefined for a file that is no model of the catalogue. */
  sha256?: string
}

/** The folder that holds the models. */
export const modelsFolder = (cacheDir: string): string => join(cacheDir, 'models')

export const installedModel = (path: string, { name, sizeBytes, sha256 }: CatalogueModel): InstalledModel => ({
  name,
  path,
  sizeBytes,
  sha256,
})

/** A look at name and size. The bytes are verified by whoever opens the file. */
export async function isInstalled(path: string, model: CatalogueModel): Promise<boolean> {
  try {
    const found = await stat(path)
    return found.isFile() && found.size === model.sizeBytes
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false
    throw error
  }
}

export type ModelState = 'verified' | 'changed' | 'missing'

/** Whether a model is there, byte for byte as published. */
export async function stateOf(path: string, model: CatalogueModel): Promise<ModelState> {
  try {
    if (await isInstalled(path, model)) return (await sha256Of(path)) === model.sha256 ? 'verified' : 'changed'
    await lstat(path)
    return 'changed'
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return 'missing'
    throw error
  }
}

/** A link, a pipe and the like are replaced when the file gets its name. A folder is not, which is better known first. */
export async function refuseFolder(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found?.isDirectory() !== true) return
  const message = `${path} is a folder; remove it and try again.`
  throw new LlmError('config', { message, backend: 'embedded', fault: 'strange-file' })
}
