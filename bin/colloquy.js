#!/usr/bin/env node
// Stands here, and not in dist, so that npm can link the command before anything is built.
import { existsSync } from 'node:fs'

const main = new URL('../dist/src/cli/main.js', import.meta.url)
if (existsSync(main)) await import(main.href)
else {
  process.stderr.write('colloquy: this checkout is not built yet: npm run build\n')
  process.exitCode = 1
}
