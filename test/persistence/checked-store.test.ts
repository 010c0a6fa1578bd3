import { describe, expect, it } from 'vitest'
import { checkedStore } from '../../src/persistence/checked-store.ts'
import { scriptedStore } from '../../src/testing/index.ts'

/** A store as JavaScript may write it. */
const store = (methods: Record<string, unknown>) => checkedStore(Object.assign({}, scriptedStore(), methods))
const line = { seq: 1, body: '{}', check: 'c' }
const failed = { name: 'LlmError', code: 'store' }

describe('a checked store', () => {
  it('says nothing was put aside where open resolves with nothing', async () => {
    const setAside = { to: 'old.db', reason: 'no database' }
    for (const [opened, due] of [
      [undefined, {}],
      [null, {}],
      [{}, {}],
      [{ setAside }, { setAside }],
    ]) {
      expect(await store({ open: () => opened }).open()).toEqual(due)
    }
    for (const odd of ['old.db', 5, { setAside: 'old.db' }, { setAside: { to: 5, reason: '' } }]) {
      await expect(store({ open: async () => odd }).open()).rejects.toMatchObject(failed)
    }
  })

  it('loads a conversation or nothing', async () => {
    expect(await store({ load: () => null }).load('a')).toBeUndefined()
    const stored = { snapshot: '{}', lines: [line] }
    expect(await store({ load: () => stored }).load('a')).toEqual(stored)
    const odd = [
      5,
      'x',
      [],
      {},
      { ...stored, lines: {} },
      { ...stored, lines: [null] },
      { ...stored, lines: [{ ...line, seq: '1' }] },
    ]
    for (const one of odd) await expect(store({ load: async () => one }).load('a')).rejects.toMatchObject(failed)
  })

  it('knows where a conversation was put', async () => {
    expect(await store({ setAside: () => 'there' }).setAside('a', 'why')).toBe('there')
    await expect(store({ setAside: async () => undefined }).setAside('a', 'why')).rejects.toMatchObject(failed)
  })

  it('rejects with what a method throws at once', async () => {
    const fail = () => {
      throw new Error('no')
    }
    const broken = store({ open: fail, load: fail, commit: fail, setAside: fail, close: fail })
    const write = { conversationId: 'a', snapshot: '', lines: [] }
    const asked = [broken.open(), broken.load('a'), broken.commit(write), broken.setAside('a', 'b'), broken.close()]
    for (const one of asked) await expect(one).rejects.toThrow('no')
  })
})
