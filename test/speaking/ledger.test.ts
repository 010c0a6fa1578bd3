import { describe, expect, it } from 'vitest'
import { createLedger } from '../../src/speaking/ledger.ts'

const charMs = { latin: 10, han: 100 }
const segment = (index: number, text: string, gap = index === 0 ? '' : ' ') => ({ index, text, source: text, gap })
const finished = { type: 'finished' } as const
const started = { type: 'started' } as const
const progressed = (chars: number) => ({ type: 'progressed', chars }) as const

describe('what was heard', () => {
  it('is what was acknowledged, with the white space of the source', () => {
    const ledger = createLedger(charMs)
    ledger.handed(segment(0, '今天天气很好。'))
    ledger.handed(segment(1, '我们去公园吧。', ''))
    ledger.acknowledged(0, finished, 0)
    ledger.acknowledged(1, progressed(4), 0)
    expect(ledger.heard()).toBe('今天天气很好。我们去')
    expect(ledger.isEverythingHeard()).toBe(false)
  })

  it('is nothing while a sink has only started', () => {
    const ledger = createLedger(charMs)
    expect(ledger.isAnythingHeard()).toBe(false)
    ledger.handed(segment(0, 'Hello there.'))
    ledger.acknowledged(0, started, 0)
    ledger.acknowledged(0, progressed(3), 0)
    expect(ledger.heard()).toBe('')
    expect(ledger.isAnythingHeard()).toBe(false)
    ledger.acknowledged(0, progressed(5), 0)
    expect(ledger.isAnythingHeard()).toBe(true)
    expect(ledger.heard()).toBe('Hello')
  })

  it('never shrinks, and what is out of range or unknown changes nothing more', () => {
    const ledger = createLedger(charMs)
    ledger.acknowledged(0, finished, 0)
    ledger.handed(segment(0, 'Hello there.'))
    for (const chars of [5, 2, -1, Number.NaN]) ledger.acknowledged(0, progressed(chars), 0)
    expect(ledger.heard()).toBe('Hello')
    ledger.acknowledged(0, progressed(Infinity), 0)
    ledger.acknowledged(7, finished, 0)
    expect(ledger.heard()).toBe('Hello there.')
  })
})

describe('what is still unspoken', () => {
  it('is what was cut, less what was acknowledged', () => {
    const ledger = createLedger(charMs)
    ledger.cut(segment(0, 'x'.repeat(10)))
    ledger.cut(segment(1, '我们'))
    expect(ledger.unspokenMs(0)).toBe(300)
    ledger.handed(segment(0, 'x'.repeat(10)))
    expect(ledger.unspokenMs(0)).toBe(300)
    ledger.acknowledged(0, progressed(4), 50)
    expect(ledger.unspokenMs(50)).toBe(260)
    ledger.acknowledged(0, finished, 90)
    expect(ledger.unspokenMs(90)).toBe(200)
    ledger.restarted()
    expect(ledger.unspokenMs(90)).toBe(0)
  })

  it('passes with time once the sound has started, and stands still in a pause', () => {
    const ledger = createLedger(charMs)
    ledger.handed(segment(0, 'x'.repeat(100)))
    expect(ledger.unspokenMs(500)).toBe(1_000)
    ledger.acknowledged(0, started, 500)
    expect(ledger.unspokenMs(700)).toBe(800)
    ledger.paused(700)
    expect(ledger.unspokenMs(5_000)).toBe(800)
    ledger.resumed(5_000)
    expect(ledger.unspokenMs(5_100)).toBe(700)
    expect(ledger.unspokenMs(60_000)).toBe(0)
  })
})
