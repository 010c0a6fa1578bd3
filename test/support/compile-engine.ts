import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The engine runs in a process of its own, and Node 20 runs no TypeScript: its code is compiled before the tests, from
 * the sources as they are.
 */
export default function setup(): () => void {
  const root = join(import.meta.dirname, '..', '..')
  const out = join(root, 'node_modules', '.cache', `colloquy-engine-${process.pid}`)
  mkdirSync(out, { recursive: true })
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const entry = join(root, 'src', 'backends', 'embedded', 'engine-process.ts')
  const flags = '--ignoreConfig --target es2023 --lib es2023 --module nodenext --moduleResolution nodenext --types node'
  const more = '--skipLibCheck --allowImportingTsExtensions --rewriteRelativeImportExtensions --noCheck'
  const args = [tsc, ...`${flags} ${more}`.split(' '), '--rootDir', root, '--outDir', out, entry]
  execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  process.env['COLLOQUY_ENGINE_ENTRY'] = join(out, 'src', 'backends', 'embedded', 'engine-process.js')
  return () => rmSync(out, { recursive: true, force: true })
}
