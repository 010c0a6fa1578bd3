import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Config } from '../../src/config/config.ts'
import { createSegmenter, type CutSegment } from '../../src/speaking/segmenter.ts'
import { anyLanguage, anySlicing, anyText, slice } from './pieces.ts'

const { segments } = Config.parse({})

function cutAll(
  deltas: readonly string[],
  language: string,
  maxChars: number,
  unspokenMs?: () => number,
): CutSegment[] {
  const segmenter = createSegmenter({
    language,
    segments: { ...segments, maxChars },
    ...(unspokenMs === undefined ? {} : { unspokenMs }),
  })
  const cuts = deltas.flatMap((delta) => segmenter.push(delta))
  return [...cuts, ...segmenter.end()]
}

const joined = (cuts: readonly CutSegment[]): string => cuts.map(({ gap, source }) => gap + source).join('')
const anyMaxChars = fc.constantFrom(240, 240, 40, 20)

describe('laws of the segmenter', () => {
  it('slicing never changes the sentences, and nothing is lost, doubled, empty or too long (20 000 texts)', () => {
    fc.assert(
      fc.property(anyText, anySlicing, anyLanguage, anyMaxChars, (text, lengths, language, maxChars) => {
        const whole = cutAll([text], language, maxChars)
        expect(cutAll(slice(text, lengths), language, maxChars)).toEqual(whole)
        if (whole.length > 0) expect(joined(whole)).toBe(text.trim())
        for (const [i, cut] of whole.entries()) {
          expect(cut.index).toBe(i)
          expect(cut.text).not.toBe('')
          expect(cut.text.length).toBeLessThanOrEqual(maxChars)
          expect(cut.source).toBe(cut.source.trim())
          expect(cut.gap.trim()).toBe('')
        }
      }),
      { numRuns: 20_000 },
    )
  })

  it('one code unit at a time gives the same sentences', () => {
    fc.assert(
      fc.property(anyText, anyLanguage, anyMaxChars, (text, language, maxChars) => {
        expect(cutAll(text.split(''), language, maxChars)).toEqual(cutAll([text], language, maxChars))
      }),
      { numRuns: 3_000 },
    )
  })

  it('whatever time forces, nothing is lost, doubled, empty or too long', () => {
    fc.assert(
      fc.property(
        anyText,
        anySlicing,
        anyLanguage,
        fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 1 }),
        (text, lengths, language, times) => {
          let turn = 0
          const unspokenMs = () => times[turn++ % times.length] ?? 0
          const cuts = cutAll(slice(text, lengths), language, 40, unspokenMs)
          if (cuts.length > 0) expect(joined(cuts)).toBe(text.trim())
          for (const cut of cuts) {
            expect(cut.text).not.toBe('')
            expect(cut.text.length).toBeLessThanOrEqual(40)
          }
        },
      ),
      { numRuns: 5_000 },
    )
  })
})
