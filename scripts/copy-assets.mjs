// What tsc does not copy: pages, which browsers read as they are. node scripts/copy-assets.mjs [FOLDER]
import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'

const out = process.argv[2] ?? 'dist'

for (const { name } of await readdir('src', { withFileTypes: true })) {
  const page = join('src', name, 'page')
  await cp(page, join(out, page), { recursive: true }).catch((error) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
  })
}
