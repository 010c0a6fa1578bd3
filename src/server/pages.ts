import { readFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'

const folder = new URL('./page/', import.meta.url)
const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}
const name = /^[a-z0-9-]+\.(html|css|js|svg)$/u

/** Serves a file of the page; false where there is none of that name. */
export async function servePage(path: string, response: ServerResponse): Promise<boolean> {
  const file = path === '/' ? 'index.html' : path.slice(1)
  const extension = name.exec(file)?.[1]
  if (extension === undefined) return false
  let content: Buffer
  try {
    content = await readFile(fileURLToPath(new URL(file, folder)))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
  response.writeHead(200, { 'content-type': types[extension] ?? 'text/plain', 'content-length': content.length })
  response.end(content)
  return true
}
