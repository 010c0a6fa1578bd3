import { describe, expect, test, vi } from 'vitest'
import { virtualClock } from '../../src/testing/virtual-clock.ts'

describe('the virtual clock', () => {
  test('stands still until it is told to go on', async () => {
    const clock = virtualClock()
    const fired: number[] = []
    clock.schedule(() => fired.push(clock.now()), 30)
    await clock.advanceTo(29)
    expect([clock.now(), clock.pending, fired]).toEqual([29, 1, []])
    await clock.advanceTo(30)
    expect([clock.now(), clock.pending, fired]).toEqual([30, 0, [30]])
  })

  test('timers fire by their moment, and at one moment in the order of scheduling', async () => {
    const clock = virtualClock()
    const fired: string[] = []
    clock.schedule(() => fired.push('late'), 20)
    clock.schedule(() => fired.push('first'), 10)
    clock.schedule(() => fired.push('second'), 10)
    await clock.advanceTo(100)
    expect(fired).toEqual(['first', 'second', 'late'])
  })

  test('a timer set by a timer fires at its own moment', async () => {
    const clock = virtualClock()
    const fired: number[] = []
    clock.schedule(() => clock.schedule(() => fired.push(clock.now()), 10), 10)
    await clock.advanceTo(100)
    expect(fired).toEqual([20])
  })

  test('promise chains settle between two timers of one moment', async () => {
    const clock = virtualClock()
    const order: string[] = []
    const chain = async () => {
      for (let step = 0; step < 20; step += 1) await Promise.resolve()
      order.push('chain')
    }
    clock.schedule(() => void chain(), 10)
    clock.schedule(() => order.push('timer'), 10)
    await clock.advanceTo(10)
    expect(order).toEqual(['chain', 'timer'])
  })

  test('a cancelled timer never fires and is not pending', async () => {
    const clock = virtualClock()
    const fired = vi.fn()
    const cancel = clock.schedule(fired, 10)
    cancel()
    expect(clock.pending).toBe(0)
    await clock.advanceTo(20)
    expect(fired).not.toHaveBeenCalled()
  })

  test('it runs until nothing is scheduled, or to the limit', async () => {
    const clock = virtualClock()
    clock.schedule(() => clock.schedule(() => {}, 50), 50)
    expect(await clock.runUntilIdle()).toBe(100)
    const again = () => clock.schedule(again, 100)
    again()
    expect(await clock.runUntilIdle(1_000)).toBe(1_000)
    expect(clock.pending).toBe(1)
  })

  test('it may start later, and the limit counts from there', async () => {
    const clock = virtualClock({ startAtMs: 1_000 })
    const fired: number[] = []
    const again = () => {
      fired.push(clock.now())
      clock.schedule(again, 60_000)
    }
    again()
    expect(await clock.runUntilIdle()).toBe(121_000)
    expect(fired).toEqual([1_000, 61_000, 121_000])
  })

  test('fake timers do not stop it', async () => {
    vi.useFakeTimers()
    const clock = virtualClock()
    const fired = vi.fn()
    clock.schedule(fired, 10)
    await clock.advanceTo(10)
    vi.useRealTimers()
    expect(fired).toHaveBeenCalledOnce()
  })
})
