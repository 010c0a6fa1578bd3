import { describe, expect, it } from 'vitest'
import { boundedStore } from '../../src/persistence/bounded-store.ts'
import { scriptedStore, virtualClock } from '../../src/testing/index.ts'
import { laterBy } from '../../src/testing/virtual-clock.ts'

function bounded(open: () => Promise<void> = async () => {}) {
  const clock = virtualClock()
  const store = scriptedStore()
  let loads = 0
  let answer = (id: string) => store.load(id)
  const counted = {
    ...store,
    load(id: string) {
      loads += 1
      return answer(id)
    },
  }
  const answerBy = (next: typeof answer) => void (answer = next)
  const later = laterBy(clock, 1_700_000_000_000)
  const made = boundedStore({ store: counted, open, clock: later, loadMs: 1_000 })
  return { clock, store, answerBy, loads: () => loads, ...made }
}

describe('a store that many ask at once', () => {
  it('reads four at a time, and the time of each begins when it is asked', async () => {
    const { clock, store, load, loads } = bounded()
    store.hold()
    const all = Promise.all(Array.from({ length: 10 }, (_, at) => load(`c${at}`)))
    await clock.settle()
    expect(loads()).toBe(4)
    for (const releasedAtMs of [900, 1_800, 2_700]) {
      await clock.advanceTo(releasedAtMs)
      store.release()
      store.hold()
      await clock.settle()
    }
    expect(await all).toHaveLength(10)
    expect(clock.pending).toBe(0)
  })

  it('that is silent costs each its own time and no more, and is asked all the same', async () => {
    const { clock, store, load } = bounded()
    store.hold()
    const all = Array.from({ length: 100 }, (_, at) =>
      load(`c${at}`).then(
        () => 'an answer',
        (error: unknown) => String(error),
      ),
    )
    await clock.advanceTo(2_002)
    expect((await Promise.all(all)).filter((answer) => !answer.includes('did not answer in time'))).toEqual([])
    store.release()
    expect(await load('c1')).toBeUndefined()
  })

  it('that is silent about one answers for the others', async () => {
    const { clock, store, load, answerBy } = bounded()
    answerBy((id) => (id === 'bad' ? new Promise(() => {}) : store.load(id)))
    const one = load('bad').catch(String)
    await clock.advanceTo(1_002)
    expect(await one).toContain('did not answer in time')
    expect(await load('good')).toBeUndefined()
  })

  it('rejects all of them where it cannot be opened', async () => {
    const { load, commit, loads } = bounded(() => Promise.reject(new Error('another process writes it')))
    await expect(load('a')).rejects.toThrow('another process')
    await expect(commit({ conversationId: 'a', snapshot: '', lines: [] })).rejects.toThrow('another process')
    expect(loads()).toBe(0)
  })
})
