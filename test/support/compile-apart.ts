import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** What runs in a process or a thread of its own, and the variable that tells the sources where its code is. */
const entries = {
  COLLOQUY_ENGINE_ENTRY: 'src/backends/embedded/engine-process',
  COLLOQUY_STORE_ENTRY: 'src/persistence/sqlite/worker',
}

/** What the tests run in a process of its own, beside the entries. */
const more = ['src/persistence/sqlite/store', 'src/index']

/** Node 20 runs no TypeScript there: the code is compiled before the tests, from the sources as they are. */
export default function setup(): () => void {
  const root = join(import.meta.dirname, '..', '..')
  const out = join(root, 'node_modules', '.cache', `colloquy-apart-${process.pid}`)
  mkdirSync(out, { recursive: true })
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const files = [...Object.values(entries), ...more].map((entry) => join(root, `${entry}.ts`))
  const flags = '--ignoreConfig --target es2023 --lib es2023 --module nodenext --moduleResolution nodenext --types node'
  const rest = '--skipLibCheck --allowImportingTsExtensions --rewriteRelativeImportExtensions --noCheck'
  const args = [tsc, ...`${flags} ${rest}`.split(' '), '--rootDir', root, '--outDir', out, ...files]
  execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  for (const [name, entry] of Object.entries(entries)) process.env[name] = join(out, `${entry}.js`)
  process.env['COLLOQUY_COMPILED'] = out
  return () => rmSync(out, { recursive: true, force: true })
}
