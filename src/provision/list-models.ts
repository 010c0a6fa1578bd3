import { existsSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { readGgufHeader } from '../backends/embedded/gguf-header.ts'
import { cacheFolder } from './cache-folder.ts'
import { fileFault } from './faults.ts'
import { findCatalogueModel, modelCatalogue, type CatalogueModel } from './model-catalogue.ts'
import {
  installedModel,
  isInstalled,
  modelsFolder,
  stateOf,
  type InstalledModel,
  type ModelState,
} from './installed-model.ts'
import { unknownModel } from './pull-model.ts'

export interface ListedModel extends CatalogueModel {
  path: string
  installed: boolean
  /** True when the engine with it takes no more than three quarters of this machine's memory. */
  fits: boolean
}

export interface ListModelsOptions {
  cacheDir?: string
  catalogue?: readonly CatalogueModel[]
  /** Default: this machine's. */
  memoryBytes?: number
}

/** The catalogue, with what is installed and what fits. Needs no network. */
export function listModels(options: ListModelsOptions = {}): Promise<ListedModel[]> {
  const { cacheDir = cacheFolder(), catalogue = modelCatalogue, memoryBytes = totalmem() } = options
  return Promise.all(
    catalogue.map(async (model) => {
      const path = join(modelsFolder(cacheDir), model.file)
      const fits = model.memoryBytes <= memoryBytes * 0.75
      return { ...model, path, installed: await isInstalled(path, model), fits }
    }),
  )
}

/**
 * The file of a model by its catalogue name, or of any GGUF file by its path; undefined where a catalogue model is not
 * installed. Rejects with `config` for a file that is no whole GGUF, with `model-missing` for a name nobody knows.
 */
export async function resolveModel(
  nameOrPath: string,
  options: ListModelsOptions = {},
): Promise<InstalledModel | undefined> {
  const { cacheDir = cacheFolder(), catalogue = modelCatalogue } = options
  const model = findCatalogueModel(nameOrPath, catalogue)
  if (model !== undefined) {
    const path = join(modelsFolder(cacheDir), model.file)
    return (await isInstalled(path, model)) ? installedModel(path, model) : undefined
  }
  const looksLikePath = /[\\/]|\.gguf$/iu.test(nameOrPath) || existsSync(nameOrPath)
  if (!looksLikePath) throw unknownModel(nameOrPath, catalogue)
  const path = resolve(nameOrPath)
  const { sizeBytes } = await readGgufHeader(path)
  return { name: nameOrPath, path, sizeBytes }
}

export interface VerifiedModel {
  name: string
  path: string
  state: ModelState
}

/** Compares the files of these models with their published sha256. Reads every byte. Rejects with `config` where one may not be read. */
export async function verifyModels(models: readonly CatalogueModel[], cacheDir: string): Promise<VerifiedModel[]> {
  const verified: VerifiedModel[] = []
  try {
    for (const model of models) {
      const path = join(modelsFolder(cacheDir), model.file)
      verified.push({ name: model.name, path, state: await stateOf(path, model) })
    }
  } catch (error) {
    throw fileFault(error, cacheDir)
  }
  return verified
}
