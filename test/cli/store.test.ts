import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { runCli } from '../../src/cli/run-cli.ts'
import { sqliteStore } from '../../src/index.ts'
import { loopbackServer, type LoopbackOptions, type LoopbackServer } from '../../src/testing/loopback-server.ts'
import { folder as ownFolder } from '../persistence/sqlite-support.ts'
import { fakeTerminal, type FakeTerminalOptions } from '../support/fake-terminal.ts'

async function served(options: LoopbackOptions = {}): Promise<LoopbackServer> {
  const server = await loopbackServer({ models: ['m1', 'm2'], replies: [{ text: 'Yes.' }], ...options })
  onTestFinished(() => server.close())
  return server
}

interface Run extends FakeTerminalOptions {
  folder: string
  url: string
}

async function chat({ url, ...given }: Run, ...argv: string[]) {
  const terminal = fakeTerminal(given)
  const code = await runCli(['chat', '--store', 'kept.db', '--base-url', url, ...argv], terminal)
  return { code, printed: terminal.printed, complained: terminal.complained }
}

async function textsIn(folder: string): Promise<unknown[]> {
  const terminal = fakeTerminal({ folder })
  await runCli(['conversations', 'show', 'default', '--json', '--store', 'kept.db'], terminal)
  return z
    .array(z.object({ text: z.string() }))
    .parse(JSON.parse(terminal.printed))
    .map(({ text }) => text)
}

describe('colloquy chat --store', () => {
  it('goes on in the next run, with what the model is told, and says so at a terminal', async () => {
    const [folder, server] = [await ownFolder(), await served()]
    const { url } = server
    expect(await chat({ folder, url, piped: ['one', 'two'] })).toMatchObject({ code: 0, printed: 'Yes.\nYes.\n' })
    expect(await chat({ folder, url }, '--once', 'three')).toEqual({ code: 0, printed: 'Yes.\n', complained: '' })
    const told = z.array(z.object({ content: z.string() })).parse(server.requests.at(-1)?.body['messages'])
    expect(told.map(({ content }) => content).slice(-5)).toEqual(['one', 'Yes.', 'two', 'Yes.', 'three'])
    const again = await chat({ folder, url, piped: ['/state'], isTTY: true })
    expect(again.printed).toMatch(/Ctrl-C leaves\.\nGoing on after 6 turns\.\n> /u)
    expect(again.complained).toMatch(/6 turns so far/u)
  })

  it('says nothing of going on where it begins', async () => {
    const { printed } = await chat({ folder: await ownFolder(), url: (await served()).url, piped: [], isTTY: true })
    expect(printed).not.toContain('Going on')
  })

  it('/model goes on in the same conversation, and with the model before where the new one cannot be had', async () => {
    const [folder, server] = [await ownFolder(), await served()]
    const piped = ['one', '/model m2', 'two', '/model m9', 'three']
    const { code, complained } = await chat({ folder, url: server.url, piped })
    expect(server.requests.map(({ model }) => model)).toEqual(['m1', 'm2', 'm2'])
    expect(complained.trim().split('\n')).toEqual([
      'Talking with m2; the conversation goes on.',
      'colloquy: there is no model m9; there are m1, m2',
    ])
    expect(code).toBe(1)
    expect(await textsIn(folder)).toEqual(['one', 'Yes.', 'two', 'Yes.', 'three', 'Yes.'])
  })

  it('/model ends the chat in one line where neither service can be had', async () => {
    const [folder, server] = [await ownFolder(), await served()]
    const terminal = fakeTerminal({ folder })
    const chatting = runCli(['chat', '--store', 'kept.db', '--base-url', server.url, '--json'], terminal)
    terminal.input.write('one\n')
    await terminal.shows('"finished"')
    await rm(join(folder, 'kept.db'))
    await mkdir(join(folder, 'kept.db'))
    terminal.input.write('/model m2\n')
    expect(await chatting).toBe(1)
    // Before it, if the last commit was not through: that the file was moved.
    expect(terminal.complained.trim().split('\n').at(-1)).toMatch(/^colloquy: .+kept\.db is a folder/u)
  })

  it('a reply that Ctrl-C cut is remembered as far as it was heard', async () => {
    const [folder, server] = [await ownFolder(), await served({ replies: [{ deltas: ['One. ', 'Two.'], hold: 1 }] })]
    const terminal = fakeTerminal({ folder, isTTY: true })
    const code = runCli(['chat', '--once', 'count', '--store', 'kept.db', '--base-url', server.url], terminal)
    await terminal.shows('One. ')
    terminal.interrupt()
    expect(await code).toBe(1)
    expect((await textsIn(folder))[0]).toBe('count')
  })
})

describe('colloquy start --store', () => {
  const Ready = z.object({ url: z.string(), store: z.string() })

  async function start(folder: string, url: string, look: (ready: z.output<typeof Ready>) => Promise<void>) {
    const terminal = fakeTerminal({ folder })
    const running = runCli(['start', '--store', 'kept.db', '--base-url', url, '--port', '0', '--json'], terminal)
    await terminal.shows('}\n')
    try {
      await look(Ready.parse(JSON.parse(terminal.printed)))
    } finally {
      terminal.interrupt()
    }
    expect(await running).toBe(0)
    return terminal.complained
  }

  it('serves in its second run what was said in the first; the commands look while it runs', async () => {
    const [folder, { url }] = [await ownFolder(), await served()]
    await start(folder, url, async (ready) => {
      expect(ready.store).toBe(join(folder, 'kept.db'))
      const headers = { 'content-type': 'application/json' }
      const asked = await fetch(`${ready.url}conversations/default/ask`, {
        method: 'POST',
        headers,
        body: '{"text":"hi"}',
      })
      expect(await asked.text()).toContain('"durable":true')
    })
    const complained = await start(folder, url, async (ready) => {
      const history = await (await fetch(`${ready.url}conversations/default/history`)).json()
      expect(history).toMatchObject({ history: [{ text: 'hi' }, { text: 'Yes.' }] })
      expect(await textsIn(folder)).toEqual(['hi', 'Yes.'])
    })
    expect(complained).toBe('')
  })
})

describe('a path that cannot be used is one line, at start', () => {
  it.each([['chat'], ['start', '--port', '0']])('%s', async (...argv) => {
    const [folder, server] = [await ownFolder(), await served()]
    await writeFile(join(folder, 'notes.txt'), 'to do')
    const busy = sqliteStore({ file: join(folder, 'busy.db') })
    onTestFinished(() => busy.close())
    await busy.open()
    for (const [file, wanted] of [
      ['.', /is a folder; name a file in it/u],
      ['notes.txt', /notes\.txt is not a SQLite file/u],
      ['notes.txt/kept.db', /cannot be opened/u],
      ['busy.db', /busy\.db is written by another process/u],
    ] as const) {
      const terminal = fakeTerminal({ folder })
      expect(await runCli([...argv, '--store', file, '--base-url', server.url], terminal)).toBe(1)
      expect(terminal.complained).toMatch(/^colloquy: [^\n]+\n$/u)
      expect(terminal.complained).toMatch(wanted)
      expect(terminal.printed).toBe('')
    }
    expect(server.requests).toEqual([])
  })

  it('a file that is damaged is put aside, and told', async () => {
    const [folder, { url }] = [await ownFolder(), await served()]
    await writeFile(join(folder, 'kept.db'), `SQLite format 3\0${'x'.repeat(4_096)}`)
    const { code, printed, complained } = await chat({ folder, url }, '--once', 'hi')
    expect([code, printed]).toEqual([0, 'Yes.\n'])
    expect(complained).toMatch(
      /^[^\n]+kept\.db could not be read \([^\n]+\): a new one is begun, [^\n]+\.corrupt-[^\n]+\n$/u,
    )
  })
})
