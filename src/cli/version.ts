import { createRequire } from 'node:module'
import { z } from 'zod'

/** Of the package, as its manifest says. */
export function version(): string {
  const manifest: unknown = createRequire(import.meta.url)('colloquy/package.json')
  return z.object({ version: z.string() }).parse(manifest).version
}
