import { mkdir, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { loopbackServer, type LoopbackServer } from '../../src/testing/loopback-server.ts'
import { readmeBlock } from '../support/readme-blocks.ts'

const folder = new URL('../../.cache/readme/', import.meta.url)
const entries = {
  "'colloquy'": "'../../src/index.ts'",
  "'colloquy/machines'": "'../../machines/index.ts'",
  "'colloquy/testing'": "'../../src/testing/index.ts'",
  "'colloquy/inspector'": "'../../src/inspection/index.ts'",
}

let server: LoopbackServer | undefined
beforeAll(() => mkdir(folder, { recursive: true }))
afterAll(() => rm(folder, { recursive: true, force: true }))
afterEach(async () => {
  vi.restoreAllMocks()
  await server?.close()
  server = undefined
})

/** Runs a block of the README as it stands, but for where the package and the server are; tells what it printed. */
async function run(name: string, more = ''): Promise<() => string> {
  let code = (await readmeBlock(name)) + more
  for (const [entry, file] of Object.entries(entries)) code = code.replaceAll(entry, file)
  if (server !== undefined) code = code.replaceAll('http://127.0.0.1:11434', server.url)
  code = code.replaceAll("'conversations.db'", JSON.stringify(fileURLToPath(new URL('conversations.db', folder))))
  const file = new URL(`${name}.ts`, folder)
  await writeFile(file, code)
  const printed: string[] = []
  vi.spyOn(console, 'log').mockImplementation(
    (...words: unknown[]) => void printed.push(`${words.map(String).join(' ')}\n`),
  )
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0)
  await import(/* @vite-ignore */ file.href)
  return () => printed.join('')
}

describe('the README runs as it stands', () => {
  it('ten lines hold a conversation over a bus', async () => {
    server = await loopbackServer({ replies: [{ text: 'It is noon. Time for lunch.' }] })
    const printed = await run('embed')
    await vi.waitFor(() => expect(printed()).toBe('assistant: It is noon.\nassistant: Time for lunch.\n'))
    expect((await readmeBlock('embed')).split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(10)
    await vi.waitFor(() => expect(server?.openSockets).toBe(0))
  })

  it('a typed turn is answered and its ending told', async () => {
    server = await loopbackServer({ replies: [{ text: 'It is noon.' }] })
    const printed = await run('converse')
    expect(printed()).toBe('It is noon.\nfinished: It is noon.\n')
  })

  it('a conversation goes on in the next run', async () => {
    server = await loopbackServer({ replies: [{ text: 'Noted.' }] })
    const printed = await run('store')
    expect(printed()).toBe('0 turns before this one\n')
    vi.restoreAllMocks()
    vi.resetModules()
    expect((await run('store'))()).toBe('2 turns before this one\n')
  })

  it('a model calls a function and answers with its result', async () => {
    server = await loopbackServer({
      replies: [
        { text: '', toolCalls: [{ name: 'clock', arguments: { city: 'Oslo' } }] },
        { text: 'It is noon in Oslo.' },
      ],
    })
    const printed = await run('tools')
    expect(printed()).toBe('It is noon in Oslo.\n')
    expect(JSON.stringify(server.requests[1]?.body)).toContain('noon in Oslo')
  })

  it('a provided chart is a conversation by itself', async () => {
    const printed = await run('provide', '\nexport { actor }\n')
    await vi.waitFor(() => expect(printed()).toBe('the reply was heard to its end\n'))
  })

  it('a chart that nothing was provided for can be asked what it would do', async () => {
    const printed = await run('transition')
    expect(printed()).toBe('idle becomes detecting\n')
  })

  it('the inspector says where its page is', async () => {
    const printed = await run('inspect', '\nawait Promise.all([inspector.close(), service.close()])\n')
    expect(printed()).toMatch(/^open http:\/\/127\.0\.0\.1:\d+/)
  })

  it('a test on virtual time is over at once and always the same', async () => {
    const printed = await run('test')
    expect(printed()).toBe('interrupted after: It is noon.\n')
  })
})
