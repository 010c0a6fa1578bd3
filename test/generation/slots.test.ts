import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSlots, type SlotPriority, type SlotTicket } from '../../src/generation/slots.ts'

/** Enters and writes down what becomes of it. */
function desk(options = { slots: 2, queue: 4 }) {
  const slots = createSlots(options)
  const log: string[] = []
  const enter = (name: string, priority: SlotPriority = 'reply', owner = name) =>
    slots.enter({
      owner,
      priority,
      granted: () => log.push(`+${name}`),
      revoked: (why) => log.push(`${why} ${name}`),
    })
  return { slots, log, enter }
}

test('a slot is given at once where one is free, else in turn', () => {
  const { enter, log } = desk()
  const a = enter('a')
  enter('b')
  enter('c')
  expect(log).toEqual(['+a', '+b'])
  a.leave()
  a.leave()
  expect(log).toEqual(['+a', '+b', '+c'])
})

test('one conversation has one request in flight', () => {
  const { enter, log } = desk()
  const first = enter('a1', 'reply', 'a')
  enter('a2', 'reply', 'a')
  expect(log).toEqual(['+a1'])
  first.leave()
  expect(log).toEqual(['+a1', '+a2'])
})

test('one that floods does not delay the others', () => {
  const { enter, log } = desk({ slots: 1, queue: 100 })
  let running = enter('flood0', 'reply', 'flood')
  const waiting = Array.from({ length: 10 }, (_, n) => enter(`flood${n + 1}`, 'reply', 'flood'))
  const light = enter('light')
  running.leave()
  expect(log).toEqual(['+flood0', '+light'])
  light.leave()
  expect(log.at(-1)).toBe('+flood1')
  running = waiting[0] ?? running
  enter('light2', 'reply', 'light')
  running.leave()
  expect(log.at(-1)).toBe('+light2')
})

test('a full queue turns away whoever has most in it', () => {
  const { enter, log } = desk({ slots: 1, queue: 3 })
  enter('holder')
  for (const n of [1, 2, 3]) enter(`flood${n}`, 'reply', 'flood')
  enter('light')
  expect(log).toEqual(['+holder', 'queue-full flood3'])
  enter('flood4', 'reply', 'flood')
  expect(log.at(-1)).toBe('queue-full flood4')
})

test('work ahead never waits, and gives way to a reply', () => {
  const { enter, log } = desk({ slots: 1, queue: 4 })
  enter('prewarm', 'prewarm')
  enter('speculation', 'speculation')
  expect(log).toEqual(['+prewarm', 'preempted speculation'])
  enter('reply')
  expect(log.slice(2)).toEqual(['preempted prewarm', '+reply'])
})

test('an adopted speculation keeps its slot', () => {
  const { enter, log } = desk({ slots: 1, queue: 4 })
  const ahead = enter('ahead', 'speculation')
  ahead.raise()
  enter('reply')
  expect(log).toEqual(['+ahead'])
  ahead.leave()
  expect(log).toEqual(['+ahead', '+reply'])
})

test('whatever comes and goes: never more than the slots, nobody forgotten', () => {
  const step = fc.tuple(fc.nat(5), fc.constantFrom<SlotPriority>('reply', 'reply', 'speculation', 'prewarm'), fc.nat(9))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (steps, size) => {
      const slots = createSlots({ slots: size, queue: 5 })
      const tickets = new Map<number, SlotTicket>()
      const holding = new Set<number>()
      const waiting = new Set<number>()
      const leave = (id: number) => {
        holding.delete(id)
        waiting.delete(id)
        tickets.get(id)?.leave()
        tickets.delete(id)
      }
      steps.forEach(([owner, priority, gone], id) => {
        waiting.add(id)
        const revoked = () => {
          waiting.delete(id)
          holding.delete(id)
        }
        const granted = () => {
          waiting.delete(id)
          holding.add(id)
        }
        tickets.set(id, slots.enter({ owner: `c${owner}`, priority, granted, revoked }))
        expect(holding.size).toBeLessThanOrEqual(size)
        expect(slots.waiting).toBe(waiting.size)
        expect(slots.spare).toBe(size - holding.size)
        if (gone < 5) leave(id - gone)
      })
      for (let left = true; left;) {
        const [next] = holding
        left = next !== undefined
        if (next !== undefined) leave(next)
      }
      expect(waiting.size).toBe(0)
    }),
  )
})

test('reading ahead gives way to any reply, also where a slot is left', () => {
  const { enter, log, slots } = desk({ slots: 3, queue: 8 })
  enter('ahead', 'prewarm', 'a')
  expect(slots.isIdle).toBe(false)
  enter('b')
  expect(log).toEqual(['+ahead', 'preempted ahead', '+b'])
  expect(slots.spare).toBe(2)
})
