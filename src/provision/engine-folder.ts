import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from './cache-folder.ts'
import { engineManifest } from './engine-manifest.ts'
import { enginePlatform, thisMachine, type Machine } from './engine-platform.ts'

/** Where the engine is or will be for this machine. Throws `config` where there is no build for it. */
export async function engineFolder(cacheDir = cacheFolder(), machine: Machine = thisMachine()): Promise<string> {
  const platform = enginePlatform(machine)
  return join(cacheDir, `engine-${(await engineManifest(platform)).version}-${platform}`)
}

/** True when the engine is provisioned. Looks at the folder only, so it needs no network and no time. */
export async function engineInstalled(cacheDir?: string): Promise<boolean> {
  return isWhole(await engineFolder(cacheDir))
}

// The folder gets its name when all is in it and has been tried.
export const isWhole = (folder: string): boolean =>
  existsSync(join(folder, 'node_modules', 'node-llama-cpp', 'package.json'))
