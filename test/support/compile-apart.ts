import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { transformWithOxc } from 'vite'

/** What runs in a process or a thread of its own, and the variable that tells the sources where its code is. */
const entries = {
  COLLOQUY_ENGINE_ENTRY: 'src/backends/embedded/engine-process.js',
  COLLOQUY_STORE_ENTRY: 'src/persistence/sqlite/worker.js',
}

/** Removes the types and nothing else: the linter and the compiler have their own turn. */
const options = {
  target: 'es2023',
  sourcemap: false,
  typescript: { onlyRemoveTypeImports: true, rewriteImportExtensions: 'rewrite' },
} as const

/** Node 20 runs no TypeScript there: the code is compiled before the tests, from the sources as they are. */
export default async function setup(): Promise<() => Promise<void>> {
  const root = join(import.meta.dirname, '..', '..')
  const out = join(root, 'node_modules', '.cache', `colloquy-apart-${process.pid}`)
  await Promise.all(['machines', 'src'].map((folder) => compile(join(root, folder), join(out, folder))))
  for (const [name, entry] of Object.entries(entries)) process.env[name] = join(out, entry)
  process.env['COLLOQUY_COMPILED'] = out
  return () => rm(out, { recursive: true, force: true })
}

async function compile(from: string, to: string): Promise<void> {
  const files = (await readdir(from, { recursive: true })).filter((file) => file.endsWith('.ts'))
  for (const file of files) {
    const { code } = await transformWithOxc(await readFile(join(from, file), 'utf8'), file, options)
    const target = join(to, file.replace(/\.ts$/u, '.js'))
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, code)
  }
}
