import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const Names = z.record(z.string(), z.string())
const Manifest = z.looseObject({ version: z.string(), dependencies: Names, optionalDependencies: Names.optional() })
const Entry = z.looseObject({
  dependencies: Names.optional(),
  optionalDependencies: Names.optional(),
  optional: z.boolean().optional(),
})
const Lock = z.looseObject({ packages: z.record(z.string(), Entry) })

export interface EngineManifest {
  version: string
  /** Text of package.json and of package-lock.json, for one platform. */
  manifest: string
  lock: string
}

/** The folder `engine` of this package, from sources as from dist. */
export function engineSource(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'engine', 'package-lock.json'))) {
    const up = dirname(folder)
    if (up === folder) throw new Error('the folder "engine" is missing from this installation of colloquy')
    folder = up
  }
  return join(folder, 'engine')
}

/**
 * The shipped lock file, made for one platform. The engine's builds are optional packages there, and
 * `npm ci --omit=optional` (which keeps 600 MB of CUDA and Vulkan away) would drop them all: the platform's own
 * becomes a plain dependency, the others leave the lock.
 */
export async function engineManifest(platform: string): Promise<EngineManifest> {
  const source = engineSource()
  const manifest = Manifest.parse(JSON.parse(await readFile(join(source, 'package.json'), 'utf8')))
  const lock = Lock.parse(JSON.parse(await readFile(join(source, 'package-lock.json'), 'utf8')))
  const build = `@node-llama-cpp/${platform}`
  const version = manifest.optionalDependencies?.[build]
  const entry = lock.packages[`node_modules/${build}`]
  const root = lock.packages['']
  if (version === undefined || entry === undefined || root === undefined) throw new Error(`no build for ${platform}`)
  for (const part of [manifest, root]) {
    part.dependencies = { ...part.dependencies, [build]: version }
    delete part.optionalDependencies
  }
  delete entry.optional
  for (const path of Object.keys(lock.packages)) {
    const other = path.startsWith('node_modules/@node-llama-cpp/') && path !== `node_modules/${build}`
    if (other) delete lock.packages[path]
  }
  return { version: manifest.version, manifest: JSON.stringify(manifest), lock: JSON.stringify(lock) }
}
