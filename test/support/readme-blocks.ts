import { readFile } from 'node:fs/promises'

/** The code block that the README opens with ```ts NAME. */
export async function readmeBlock(name: string): Promise<string> {
  const block = (await readmeBlocks()).get(name)
  if (block === undefined) throw new Error(`the README has no block "ts ${name}"`)
  return block
}

export async function readmeBlocks(): Promise<Map<string, string>> {
  const text = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
  const blocks = text.matchAll(/^```ts (\w+)\n([\s\S]*?)^```$/gm)
  return new Map([...blocks].map(([, name = '', code = '']) => [name, code]))
}
