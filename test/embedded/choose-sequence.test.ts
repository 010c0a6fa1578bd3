import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseSequence, commonPrefix, type SequenceState } from '../../src/backends/embedded/choose-sequence.ts'

const state = (tokens: number[], usedAt = 1, busy = false): SequenceState => ({ tokens, usedAt, busy })

describe('chooseSequence', () => {
  it('a conversation finds its own sequence again', () => {
    expect(chooseSequence([state([1, 2, 3]), state([1, 9, 9, 9]), state([])], [1, 9, 9, 9, 5, 6])).toBe(1)
  })

  it('a shared system prompt pushes no conversation out', () => {
    expect(chooseSequence([state([1, 2, 3, 4, 5, 6]), state([])], [1, 2, 7])).toBe(1)
  })

  it('an evicted history takes the least recently used sequence', () => {
    expect(chooseSequence([state([5, 5, 5], 7), state([6, 6, 6], 3), state([7, 7], 9)], [1, 2])).toBe(1)
  })

  it('what is busy is never chosen', () => {
    const states = fc.array(
      fc.record({ tokens: fc.array(fc.nat(3), { maxLength: 8 }), usedAt: fc.nat(20), busy: fc.boolean() }),
      { maxLength: 6 },
    )
    fc.assert(
      fc.property(states, fc.array(fc.nat(3)), (sequences, prompt) => {
        const chosen = chooseSequence(sequences, prompt)
        if (chosen === undefined) expect(sequences.every(({ busy }) => busy)).toBe(true)
        else expect(sequences[chosen]?.busy).toBe(false)
      }),
    )
  })

  it('a prompt that goes on from one sequence alone goes there', () => {
    const conversations = fc.uniqueArray(fc.array(fc.nat(9), { minLength: 1, maxLength: 10 }), {
      minLength: 1,
      maxLength: 4,
      selector: ([first]) => first,
    })
    fc.assert(
      fc.property(conversations, fc.nat(3), fc.array(fc.nat(9)), (histories, pick, more) => {
        const index = pick % histories.length
        const prompt = [...(histories[index] ?? []), ...more]
        expect(
          chooseSequence(
            histories.map((tokens) => state(tokens)),
            prompt,
          ),
        ).toBe(index)
      }),
    )
  })
})

describe('commonPrefix', () => {
  it('counts what two lists share from the beginning', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2)), fc.array(fc.nat(2)), (one, other) => {
        const shared = commonPrefix(one, other)
        expect(one.slice(0, shared)).toEqual(other.slice(0, shared))
        if (shared < one.length && shared < other.length) expect(one[shared]).not.toBe(other[shared])
      }),
    )
  })
})
