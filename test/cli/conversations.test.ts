import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/run-cli.ts'
import { beginning, chainLine, sealSnapshot, type Unfinished } from '../../src/persistence/record.ts'
import { fakeTerminal } from '../support/fake-terminal.ts'
import { folder as ownFolder, storeAt } from '../persistence/sqlite-support.ts'

type Fact = { type: string } & Record<string, unknown>
const said = (text: string, more = {}): Fact => ({ type: 'CALLER_TURN_ENDED', turnId: 'turn-1', text, ...more })
const heard = (text: string): Fact => ({ type: 'RESPONSE_FINISHED', turnId: 'turn-1', heard: text })
const cut = (text: string): Fact => ({ type: 'RESPONSE_INTERRUPTED', turnId: 'turn-2', heard: text })

/** A folder with a `kept.db` in which these conversations are, the last one newest. */
async function kept(conversations: Record<string, Fact[]>, unfinished?: Unfinished): Promise<string> {
  const folder = await ownFolder()
  const store = storeAt(join(folder, 'kept.db'))
  await store.open()
  for (const [conversationId, facts] of Object.entries(conversations)) {
    let place = beginning
    const lines = facts.map((fact) => {
      const line = chainLine(place, fact)
      place = line
      return line
    })
    const snapshot = sealSnapshot(conversationId, place, { turns: 2, replies: 2 }, unfinished)
    await store.commit({ conversationId, snapshot, lines })
  }
  await store.close()
  return folder
}

async function run(folder: string, ...argv: string[]) {
  const terminal = fakeTerminal({ folder })
  const code = await runCli(['conversations', ...argv, '--store', 'kept.db'], terminal)
  return { code, printed: terminal.printed, complained: terminal.complained }
}

const two = {
  'my kitchen': [said('hello', { speaker: 'Ada' }), heard('Hi Ada.')],
  hall: [said('count'), cut('One two')],
}

describe('colloquy conversations list', () => {
  it('is a table, newest first', async () => {
    const { code, printed } = await run(await kept(two), 'list')
    const at = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`
    expect(printed).toMatch(
      new RegExp(
        `^id +lines +begun \\(UTC\\) +last \\(UTC\\)\nhall +2 +${at} +${at}\nmy kitchen +2 +${at} +${at}\n$`,
        'u',
      ),
    )
    expect(code).toBe(0)
  })

  it('--json is an array; an empty store says so, and is an empty one', async () => {
    const { printed } = await run(await kept(two), 'list', '--json')
    expect(JSON.parse(printed)).toMatchObject([{ conversationId: 'hall', lines: 2 }, { conversationId: 'my kitchen' }])
    const empty = await kept({})
    expect(await run(empty, 'list')).toEqual({
      code: 0,
      printed: `There are no conversations in ${join(empty, 'kept.db')} yet.\n`,
      complained: '',
    })
    expect((await run(empty, 'list', '--json')).printed).toBe('[]\n')
  })
})

describe('colloquy conversations show', () => {
  it('is what was said and heard, as people read it', async () => {
    const called = { turnId: 'turn-1', id: 'call-1', name: 'clock', arguments: {}, result: '12:00', outcome: 'done' }
    const tool = { type: 'TOOL_CALLED', ...called, replyId: 'reply-1' }
    const folder = await kept({ ...two, later: [said('tell'), tool, heard('Once.\nUpon \u001B[2Ja time.')] })
    expect((await run(folder, 'show', 'my kitchen')).printed).toBe('Ada: hello\nassistant: Hi Ada.\n')
    expect((await run(folder, 'show', 'hall')).printed).toBe('caller: count\nassistant (cut): One two\n')
    expect((await run(folder, 'show', 'later')).printed).toBe(
      'caller: tell\nclock(): 12:00\nassistant: Once.\n  Upon ␛[2Ja time.\n',
    )
  })

  it('--json is the history, with what was heard of a reply that was being spoken', async () => {
    const folder = await kept({ hall: [said('count')] }, { turnId: 'turn-1', replyId: 'reply-1', heard: 'One' })
    expect(JSON.parse((await run(folder, 'show', 'hall', '--json')).printed)).toEqual([
      { role: 'user', text: 'count', turnId: 'turn-1' },
      { role: 'assistant', text: 'One', turnId: 'turn-1', interrupted: true },
    ])
  })

  it('of one that was changed is refused with the reason; export prints it as it is, and says so', async () => {
    const folder = await kept({ ...two, bad: [said('hello'), heard('Hi.')] })
    const store = storeAt(join(folder, 'kept.db'))
    await store.open()
    const lines = [{ seq: 3, body: 'no JSON', check: 'none' }]
    await store.commit({
      conversationId: 'bad',
      snapshot: sealSnapshot('bad', beginning, { turns: 0, replies: 0 }, undefined),
      lines,
    })
    await store.close()
    const { code, printed, complained } = await run(folder, 'show', 'bad')
    expect([code, printed]).toEqual([1, ''])
    expect(complained).toMatch(
      /^colloquy: what is kept of bad cannot be used: line 3 of its log was changed; [^\n]+\n$/u,
    )
    const exported = await run(folder, 'export')
    expect(exported.code).toBe(1)
    expect(exported.printed.trim().split('\n')).toHaveLength(7)
    expect(JSON.parse(exported.printed.trim().split('\n').at(-1) ?? '')).toEqual({
      conversationId: 'bad',
      seq: 3,
      unreadable: 'no JSON',
    })
    expect(exported.complained).toMatch(/^colloquy: printed as it is, .*: bad \(line 3 of its log was changed\)\n$/u)
  })
})

describe('colloquy conversations export', () => {
  it('is the log as JSON lines, newest last, of all or of one', async () => {
    const folder = await kept({ ...two, odd: [{ type: 'SOMETHING_NEW', conversationId: 'x', seq: 'y' }] })
    const lines = (text: string) =>
      text
        .split('\n')
        .filter(Boolean)
        .map((line): unknown => JSON.parse(line))
    const { printed, code } = await run(folder, 'export')
    expect(lines(printed)).toEqual([
      { conversationId: 'my kitchen', seq: 1, ...said('hello', { speaker: 'Ada' }) },
      { conversationId: 'my kitchen', seq: 2, ...heard('Hi Ada.') },
      { conversationId: 'hall', seq: 1, ...said('count') },
      { conversationId: 'hall', seq: 2, ...cut('One two') },
      { conversationId: 'odd', seq: 1, type: 'SOMETHING_NEW' },
    ])
    expect(code).toBe(0)
    expect(lines((await run(folder, 'export', 'hall')).printed)).toHaveLength(2)
  })
})

describe('colloquy conversations delete', () => {
  it('tells what it deleted, and what was not there', async () => {
    const folder = await kept({ ...two, attic: [] })
    expect(await run(folder, 'delete', 'hall', 'attik', 'hall')).toEqual({
      code: 1,
      printed: 'Deleted hall.\n',
      complained: 'colloquy: there is no conversation attik; did you mean attic?\n',
    })
    expect((await run(folder, 'delete', 'my', 'kitchen')).complained).toMatch(/did you mean 'my kitchen'\?\n$/u)
    expect(await run(folder, 'delete', 'my kitchen', 'attic', '--json')).toMatchObject({
      code: 0,
      printed: '{"deleted":["my kitchen","attic"]}\n',
    })
    expect((await run(folder, 'list', '--json')).printed).toBe('[]\n')
  })

  it('is refused while somebody writes the file; looking is not', async () => {
    const folder = await kept(two)
    const writer = storeAt(join(folder, 'kept.db'))
    await writer.open()
    const { code, printed, complained } = await run(folder, 'delete', 'hall')
    expect([code, printed]).toEqual([1, ''])
    expect(complained).toMatch(/^colloquy: .*kept\.db is written by another process; end that one[^\n]+\n$/u)
    expect((await run(folder, 'show', 'hall')).code).toBe(0)
  })
})

describe('wrong input is one line that helps, and changes nothing', () => {
  it.each<[string, string[], number, RegExp]>([
    ['no verb', [], 2, /say what to do: colloquy conversations list \| show ID/u],
    ['a verb with a slip', ['lsit'], 2, /unknown word lsit; did you mean list\?/u],
    ['a verb like no other', ['frobnicate'], 2, /there are list, show, export, delete/u],
    ['an id for list', ['list', 'hall'], 2, /did you mean: colloquy conversations show hall/u],
    ['no id to show', ['show'], 2, /name the conversation: colloquy conversations show ID/u],
    ['no id to delete', ['delete'], 2, /conversations delete ID/u],
    ['an id that was not quoted', ['show', 'my', 'kitchen'], 2, /or is it 'my kitchen'\?/u],
    ['an unknown id', ['show', 'nobody'], 1, /no conversation nobody; colloquy conversations list tells/u],
    ['an unknown id near one', ['export', 'hal'], 1, /no conversation hal; did you mean hall\?/u],
  ])('%s', async (_, argv, wantedCode, wanted) => {
    const { code, printed, complained } = await run(await kept(two), ...argv)
    expect(complained).toMatch(/^colloquy: [^\n]+\n$/u)
    expect(complained).toMatch(wanted)
    expect([code, printed]).toEqual([wantedCode, ''])
  })

  it.each(['list', 'show', 'export', 'delete'])('%s: a file that is none of ours', async (verb) => {
    const folder = await ownFolder()
    await mkdir(join(folder, 'folder'))
    await writeFile(join(folder, 'notes.txt'), 'to do')
    await writeFile(join(folder, 'empty'), '')
    const before = await readdir(folder)
    const ids = verb === 'list' ? [] : ['hall']
    for (const [file, wanted] of [
      ['nowhere.db', /There are no conversations at .*nowhere\.db/u],
      ['empty', /There are no conversations at .*empty/u],
      ['notes.txt', /notes\.txt is not a SQLite file/u],
      ['folder', /folder is a folder/u],
    ] as const) {
      const terminal = fakeTerminal({ folder })
      expect(await runCli(['conversations', verb, ...ids, '--store', file], terminal)).toBe(1)
      expect(terminal.complained).toMatch(/^colloquy: [^\n]+\n$/u)
      expect(terminal.complained).toMatch(wanted)
      expect(terminal.printed).toBe('')
    }
    expect(await readFile(join(folder, 'notes.txt'), 'utf8')).toBe('to do')
    expect((await readdir(folder)).filter((name) => !/^empty-(shm|wal)$/u.test(name))).toEqual(before)
    const terminal = fakeTerminal({ folder })
    expect(await runCli(['conversations', verb, ...ids], terminal)).toBe(2)
    expect(terminal.complained).toMatch(/--store FILE\n$/u)
  })
})
