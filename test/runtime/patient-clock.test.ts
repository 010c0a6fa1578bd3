import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/runtime/clock.ts'
import { stallingClock } from '../support/stalling-clock.ts'

/** Schedules, and notes when it ran. */
function waiting(ms: number) {
  const clock = stallingClock()
  const startMs = clock.now()
  const ranAfter: number[] = []
  const cancel = clock.schedule(() => ranAfter.push(clock.now() - startMs), ms)
  return { clock, ranAfter, cancel }
}

const read = () => new Promise<void>((resolve) => void setImmediate(resolve))

describe('a clock that leaves out what stalls take', () => {
  it.each([0, 1, 20, 50, 51, 499, 500, 4_000, 60_000, 4_321.5])('runs after %i ms where none does', async (ms) => {
    const { clock, ranAfter } = waiting(ms)
    await clock.pass(ms - 1)
    expect(ranAfter).toEqual([])
    await clock.pass(1.5)
    expect(ranAfter).toHaveLength(1)
    expect(Math.abs((ranAfter[0] ?? 0) - ms)).toBeLessThanOrEqual(1)
    await clock.pass(100_000)
    expect(ranAfter).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  it('lets the sockets be read before it runs, stall or not', async () => {
    const { clock, ranAfter, cancel } = waiting(50)
    clock.stall(50)
    expect(ranAfter).toEqual([])
    cancel()
    await read()
    expect(ranAfter).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('a stall at the end leaves time for an answer that takes several turns', async () => {
    const { clock, ranAfter, cancel } = waiting(1_000)
    await clock.pass(990)
    clock.stall(5_000)
    await clock.pass(99)
    expect(ranAfter).toEqual([])
    cancel()
    expect(clock.pending).toBe(0)
  })

  it('is over all the same where the loop stalls without end', async () => {
    const { clock, ranAfter } = waiting(1_000)
    for (let stalls = 0; stalls < 13; stalls++) {
      expect(ranAfter).toEqual([])
      clock.stall(400)
      await read()
    }
    expect(ranAfter).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  it('wherever stalls fall, what is scheduled has had its time, less a part for each', async () => {
    const stalls = fc.array(fc.record({ afterMs: fc.nat(2_000), ms: fc.integer({ min: 21, max: 20_000 }) }), {
      minLength: 1,
      maxLength: 4,
    })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 50, max: 10_000 }), stalls, async (ms, all) => {
        const { clock, ranAfter } = waiting(ms)
        const partMs = Math.max(ms / 10, 50)
        let aliveMs = 0
        let seen = 0
        for (const stall of all) {
          await clock.pass(stall.afterMs)
          aliveMs += stall.afterMs
          if (ranAfter.length > 0) break
          clock.stall(stall.ms)
          seen += 1
          expect(ranAfter).toEqual([])
        }
        // The last moment at which it had not run yet.
        for (; ranAfter.length === 0; aliveMs += 10) await clock.pass(10)
        expect(aliveMs + 10).toBeGreaterThanOrEqual(ms - seen * (partMs + 20))
        expect(aliveMs).toBeLessThanOrEqual(ms + seen * (partMs + 20) + 2_010)
        expect(clock.pending).toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  it('is cancelled in whatever it waits for', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000), fc.boolean(), async (atMs, stalls) => {
        const { clock, ranAfter, cancel } = waiting(1_000)
        if (stalls) clock.stall(atMs)
        else await clock.pass(atMs - 1)
        cancel()
        await clock.pass(5_000)
        expect(ranAfter).toEqual([])
        expect(clock.pending).toBe(0)
      }),
      { numRuns: 50 },
    )
  })
})

describe('the clock of a service', () => {
  it('runs after its sockets were read, in order', async () => {
    const order: string[] = []
    await new Promise<void>((resolve) => {
      systemClock.schedule(() => order.push('first'), 1)
      systemClock.schedule(() => order.push('never'), 1)()
      systemClock.schedule(() => {
        order.push('second')
        resolve()
      }, 2)
    })
    expect(order).toEqual(['first', 'second'])
  })
})
