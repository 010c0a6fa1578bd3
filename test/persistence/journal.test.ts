import { describe, expect, it } from 'vitest'
import type { Failure, ServiceEvent } from '../../machines/vocabulary.ts'
import { LlmError } from '../../src/backends/contract.ts'
import { createJournal } from '../../src/persistence/journal.ts'
import { scriptedStore, virtualClock } from '../../src/testing/index.ts'
import { laterBy } from '../../src/testing/virtual-clock.ts'

const words = (turnId: string): ServiceEvent => ({
  type: 'CALLER_TURN_ENDED',
  conversationId: 'a',
  turnId,
  atMs: 0,
  text: 'hello',
})

function pen(store = scriptedStore()) {
  const clock = virtualClock()
  const reports: Failure[] = []
  const stored: [string, boolean][] = []
  const counters = { turns: 1, replies: 1 }
  const journal = createJournal({
    conversationId: 'a',
    store,
    clock: laterBy(clock, 1_700_000_000_000),
    counters: () => ({ ...counters }),
    onStored: (turnId, durable) => stored.push([turnId, durable]),
    report: (failure) => reports.push(failure),
  })
  return { store, clock, journal, reports, stored, counters }
}

describe('the journal of a conversation', () => {
  it('writes what was told while a commit runs with the next one, in order', async () => {
    const { store, clock, journal, stored } = pen()
    await journal.open()
    store.hold()
    journal.tell(words('turn-1'))
    await clock.settle()
    for (const turnId of ['turn-2', 'turn-3']) journal.tell(words(turnId))
    await clock.settle()
    store.release()
    await journal.close()
    expect(store.writes.map(({ lines }) => lines.map(({ seq }) => seq))).toEqual([[1], [2, 3]])
    expect(stored).toEqual(['turn-1', 'turn-2', 'turn-3'].map((turnId) => [turnId, true]))
  })

  it('tries what failed once more when it closes', async () => {
    const { store, clock, journal, reports } = pen()
    await journal.open()
    store.fail('the disk is full')
    journal.tell(words('turn-1'))
    await clock.settle()
    store.fail()
    await journal.close()
    expect([reports.length, store.kept.get('a')?.lines.length]).toEqual([1, 1])
  })

  it('tries what failed again after a while, also what was heard, and stops trying in the end', async () => {
    const { store, clock, journal, reports } = pen()
    await journal.open()
    journal.tell({ type: 'RESPONSE_GENERATING', conversationId: 'a', turnId: 'turn-1', replyId: 'reply-1', atMs: 0 })
    await clock.settle()
    store.fail('the disk is full')
    journal.heard('reply-1', 'Hi.')
    await clock.runUntilIdle()
    expect([store.writes.length, clock.now(), reports.length]).toEqual([5, 36_000, 1])
    journal.heard('reply-1', 'Hi. Ho.')
    await clock.settle()
    expect(store.writes.length).toBe(5)
    store.fail()
    await journal.close()
    expect(store.kept.get('a')?.snapshot).toContain('"heard":"Hi. Ho."')
  })

  it('in an outage tries at once for the words of the caller alone', async () => {
    const { store, clock, journal } = pen()
    await journal.open()
    store.fail('the disk is full')
    journal.tell(words('turn-1'))
    await clock.settle()
    journal.tell({ type: 'RESPONSE_GENERATING', conversationId: 'a', turnId: 'turn-1', replyId: 'reply-1', atMs: 0 })
    await clock.settle()
    expect(store.writes).toHaveLength(1)
    journal.tell(words('turn-2'))
    await clock.settle()
    expect(store.writes).toHaveLength(2)
    await journal.close()
    expect(clock.pending).toBe(0)
  })

  it('tells of a store that does not answer, once', async () => {
    const { store, clock, journal, reports } = pen()
    await journal.open()
    await clock.advanceTo(60_000)
    store.hold()
    for (const afterMs of [0, 0, 4_000, 9_100, 9_200]) {
      await clock.advanceTo(60_000 + afterMs)
      journal.tell(words(`turn-${afterMs}`))
      if (afterMs > 0) await clock.settle()
    }
    expect(reports).toMatchObject([{ message: expect.stringContaining('does not answer') }])
    store.release()
    await journal.close()
    expect(store.kept.get('a')?.lines).toHaveLength(5)
  })

  it('keeps ids that were given out though nothing was told of them', async () => {
    const { store, clock, journal, counters } = pen()
    await journal.open()
    journal.tell(words('turn-1'))
    await clock.settle()
    counters.replies = 7
    await journal.close()
    expect(store.kept.get('a')?.snapshot).toContain('"replies":7')
  })

  it('owes a store that takes nothing only so much', async () => {
    const { store, clock, journal, reports, stored } = pen()
    await journal.open()
    store.hold()
    for (let turn = 0; turn <= 10_000; turn += 1) journal.tell(words('turn-1'))
    await clock.settle()
    expect(reports).toMatchObject([{ code: 'store', message: expect.stringContaining('kept no longer') }])
    const answered = stored.length
    journal.tell(words('turn-2'))
    expect(stored.slice(answered)).toEqual([['turn-2', false]])
    store.release()
    await clock.settle()
    await journal.close()
  })

  it('gives up where the store will never take it, and says so once', async () => {
    const { store, clock, journal, reports, stored } = pen()
    await journal.open()
    store.commit = () =>
      Promise.reject(new LlmError('store', { message: 'a line before it is missing', retryable: false }))
    for (const turnId of ['turn-1', 'turn-2']) {
      journal.tell(words(turnId))
      await clock.settle()
    }
    expect(reports).toMatchObject([{ message: 'this conversation is kept no longer: a line before it is missing' }])
    expect(stored).toEqual([
      ['turn-1', false],
      ['turn-2', false],
    ])
  })

  it('quotes nothing of a store whose error it does not know', async () => {
    const { store, clock, journal, reports } = pen()
    await journal.open()
    journal.tell(words('turn-1'))
    store.commit = () => Promise.reject(new Error('near "hello": syntax error'))
    await clock.settle()
    expect(reports).toMatchObject([{ message: expect.not.stringContaining('hello') }])
  })

  it('does without a store that throws at once', async () => {
    const store = scriptedStore()
    store.load = () => {
      throw new Error('a mistake of the store')
    }
    const { journal, reports, stored } = pen(store)
    expect(await journal.open()).toBeUndefined()
    journal.tell(words('turn-1'))
    expect([reports.length, stored]).toEqual([1, [['turn-1', false]]])
  })
})
