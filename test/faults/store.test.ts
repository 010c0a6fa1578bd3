import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'libsql'
import { describe, expect, it } from 'vitest'
import { readStoredConversation } from '../../src/persistence/record.ts'
import { scriptedStore } from '../../src/testing/scripted-store.ts'
import { folder, storeAt } from '../persistence/sqlite-support.ts'
import { quiet } from './resources.ts'
import { findSecret } from './secrets.ts'
import { stage } from './support.ts'

/** A file in which a conversation has two entries of history. */
async function keptFile(): Promise<string> {
  const file = join(await folder(), 'conversations.db')
  const { conversation, ask, leaves } = await stage({
    options: { store: storeAt(file) },
    replies: [{ text: 'It is noon.' }],
  })
  await conversation.ready
  expect(await ask()).toMatchObject({ heard: 'It is noon.' })
  await leaves()
  return file
}

function change(file: string, sql: string): void {
  const database = new Database(file)
  expect(database.prepare(sql).run().changes).toBe(1)
  database.close()
}

const asideIn = (file: string): unknown[] => {
  const database = new Database(file, { readonly: true })
  const rows = database.prepare('select * from set_aside').all()
  database.close()
  return rows
}

describe('the store of conversations', () => {
  it('row 57: a store write that fails is reported, and the turn goes on', async () => {
    // The disk has room for what is kept already, and no more.
    const store = storeAt(await keptFile(), { maxPages: 1 })
    const { ask, of, conversation, history, clock, settles } = await stage({
      options: { store },
      replies: [{ text: 'It is noon.' }],
    })
    await conversation.ready
    expect(history()).toHaveLength(2)
    const long = 'what time is it '.repeat(240)
    expect(await ask(long)).toMatchObject({ ending: 'finished', heard: 'It is noon.' })
    expect(of('ERROR_OCCURRED')).toMatchObject([
      { code: 'store', recoverable: true, message: expect.stringContaining('could not be stored') },
    ])
    expect(of('RESPONSE_STARTED')).toMatchObject([{ durable: false }])
    expect(history().slice(2)).toEqual([
      ['user', long.trim()],
      ['assistant', 'It is noon.'],
    ])
    // It is tried again for a while.
    for (const ms of [1_000, 5_000, 30_000]) {
      await quiet(() => clock.pending === 1)
      clock.wind(ms)
    }
    await quiet(() => clock.pending === 0)
    await settles()
  })

  it('row 57: what a store missed while it failed is in it when it works again', async () => {
    const store = scriptedStore()
    const { ask, of, conversation, settles } = await stage({ options: { store }, replies: [{ text: 'It is noon.' }] })
    await conversation.ready
    store.fail('the disk is full; make room')
    expect(await ask()).toMatchObject({ ending: 'finished' })
    expect(of('ERROR_OCCURRED')).toHaveLength(1)
    store.fail()
    await settles()
    const [kept] = [...store.kept].map(([id, stored]) => readStoredConversation(id, stored))
    expect(kept).toMatchObject({ ok: true, remembered: { history: [{}, { text: 'It is noon.' }, {}, {}] } })
    expect(findSecret([...store.kept])).toBe('nowhere')
  })

  const tampering: [string, string][] = [
    ['its snapshot is no JSON', 'update conversation set snapshot = substr(snapshot, 1, 40)'],
    ['its snapshot was changed', `update conversation set snapshot = replace(snapshot, '"turns":', '"turns":7')`],
    [
      'line 1 of its log was changed',
      "update event set body = replace(body, 'what time is it', 'I said nothing') where seq = 1",
    ],
    ['line 2 of its log is missing', 'delete from event where seq = 2'],
    ['its snapshot is no JSON', 'delete from conversation'],
    ['line 1 of its log was changed', "update event set body = x'00ff' where seq = 1"],
  ]
  it.each(tampering)(
    'row 58: %s: refused with its reason, a fresh conversation, and what was kept put aside',
    async (reason, sql) => {
      const file = await keptFile()
      change(file, sql)
      const { ask, of, conversation, history, settles } = await stage({ options: { store: storeAt(file) } })
      await conversation.ready
      expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'store', message: expect.stringContaining(reason) }])
      expect(history()).toEqual([])
      expect(asideIn(file)).toMatchObject([{ conversation_id: 'default', reason }])
      expect(JSON.stringify(asideIn(file))).toContain('It is noon.')
      expect(await ask()).toMatchObject({ ending: 'finished' })
      expect(of('RESPONSE_STARTED')).toMatchObject([{ durable: true }])
      await settles()
      const { conversation: next, leaves } = await stage({ options: { store: storeAt(file) } })
      await next.ready
      expect(next.history).toHaveLength(4)
      await leaves()
    },
  )

  it('row 58: a store that is a database no more is kept aside, and a fresh one begun', async () => {
    const file = join(await folder(), 'conversations.db')
    const before = storeAt(file)
    await before.open()
    await before.close()
    await writeFile(file, 'not what it was '.repeat(1_000))
    const { events, conversation, settles } = await stage({ options: { store: storeAt(file) } })
    await conversation.ready
    expect(events.filter(({ type }) => type === 'ERROR_OCCURRED')).toMatchObject([
      {
        type: 'ERROR_OCCURRED',
        conversationId: 'service',
        code: 'store',
        message: expect.stringMatching(/kept as .*conversations\.db\.corrupt-/u),
      },
    ])
    await settles()
  })

  it('row 59: the first segment waits for a slow store for a moment, and the event says durable: false', async () => {
    const store = scriptedStore()
    const { ask, clock, conversation, of, settles } = await stage({ options: { store } })
    await conversation.ready
    store.hold()
    const outcome = ask()
    await quiet(() => conversation.actor.getSnapshot().matches({ generating: 'storing' }))
    expect(of('RESPONSE_STARTED')).toEqual([])
    clock.wind(50)
    expect(await outcome).toMatchObject({ ending: 'finished' })
    expect(of('RESPONSE_STARTED')).toMatchObject([{ durable: false }])
    store.release()
    await settles()
    expect(of('RESPONSE_STARTED').at(-1)).toMatchObject({ durable: true })
  })
})
