import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenText } from '../../src/backends/embedded/token-text.ts'

/** A tokenizer whose tokens are bytes: the worst case. */
const bytes = (tokens: number[]): string => Buffer.from(tokens).toString('utf8')

describe('TokenText', () => {
  it('a character spread over tokens comes whole', () => {
    const text = new TokenText(bytes)
    expect([...Buffer.from('a€😀')].map((byte) => text.push(byte))).toEqual(['a', '', '', '€', '', '', '', '😀'])
  })

  it('bytes that are no character are given up and hold nothing back for long', () => {
    const text = new TokenText(bytes)
    const pieces = [0xf0, 0xf0, 0xf0, 0xf0, 0x61].map((byte) => text.push(byte))
    expect(pieces.at(-1)).toBe('a')
  })

  it('every text comes through', () => {
    // The character that stands for broken bytes cannot be told from them: at the very end it is taken for such.
    const texts = fc.string({ unit: 'grapheme' }).filter((whole) => !whole.includes('\uFFFD'))
    fc.assert(
      fc.property(texts, (whole) => {
        const text = new TokenText(bytes)
        expect([...Buffer.from(whole)].map((byte) => text.push(byte)).join('')).toBe(whole)
      }),
    )
  })
})
