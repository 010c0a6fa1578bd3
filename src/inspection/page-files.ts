import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface PageFile {
  type: string
  body: Buffer
}

const names = {
  'index.html': 'text/html; charset=utf-8',
  'inspector.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'main.js': 'text/javascript; charset=utf-8',
  'model.js': 'text/javascript; charset=utf-8',
  'tree.js': 'text/javascript; charset=utf-8',
  'chart.js': 'text/javascript; charset=utf-8',
  'happenings.js': 'text/javascript; charset=utf-8',
  'elements.js': 'text/javascript; charset=utf-8',
}

/**
 * The page's files by path, read once. They are published as they stand in the source tree, and found from the
 * package's root, because the compiled program lies deeper than its source.
 */
export function readPageFiles(): Map<string, PageFile> {
  const root = dirname(createRequire(import.meta.url).resolve('colloquy/package.json'))
  const files = new Map<string, PageFile>()
  for (const [name, type] of Object.entries(names)) {
    const body = readFileSync(join(root, 'src/inspection/page', name))
    files.set(`/${name}`, { type, body })
  }
  const index = files.get('/index.html')
  if (index) files.set('/', index)
  return files
}
