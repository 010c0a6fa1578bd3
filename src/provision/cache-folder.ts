import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Where the engine and the models are kept: `COLLOQUY_CACHE_DIR`, else `colloquy` in `XDG_CACHE_HOME`, else
 * `~/.cache/colloquy`.
 */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['COLLOQUY_CACHE_DIR']
  if (own) return own
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'colloquy')
}
