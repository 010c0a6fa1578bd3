import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createNoRepeat } from '../../src/generation/no-repeat.ts'

function continued(before: string, ...slices: string[]): string {
  const filter = createNoRepeat(before)
  return [...slices.map((slice) => filter.push(slice)), filter.end()].join('')
}

test('a continuation that goes on is left as it is', () => {
  expect(continued('One is here. Two', ' comes', ' next.')).toBe(' comes next.')
})

test('a continuation that starts from the top, or with the last sentence, loses what was said', () => {
  expect(continued('One is here. Two is there.', 'One is', ' here. Two is there. Three.')).toBe(' Three.')
  expect(continued('One is here. Two is there.', 'Two is', ' there.', ' Three.')).toBe(' Three.')
  expect(continued('One is here.', 'One is here.')).toBe('')
})

test('what begins like a repetition and is none is said whole', () => {
  expect(continued('One is here. Two is there.', 'Two is', ' gone.')).toBe('Two is gone.')
  expect(continued('One is here. Two is there.', 'Two is')).toBe('Two is')
})

test('however it is sliced, the same comes out', () => {
  const word = fc.constantFrom('a', 'b', 'a b ', ' ', '. ', 'a b. a')
  fc.assert(
    fc.property(fc.array(word), fc.array(word), fc.array(fc.nat(20)), (before, after, cuts) => {
      const text = after.join('')
      const at = [0, ...cuts.map((cut) => Math.min(cut, text.length)).toSorted((a, b) => a - b), text.length]
      const slices = at.slice(1).map((end, index) => text.slice(at[index], end))
      expect(continued(before.join(''), ...slices)).toBe(continued(before.join(''), text))
    }),
    { numRuns: 3_000 },
  )
})
