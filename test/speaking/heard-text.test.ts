import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { heardSource } from '../../src/speaking/heard-text.ts'
import { createSegmenter } from '../../src/speaking/segmenter.ts'
import { toSpeakable } from '../../src/speaking/to-speakable.ts'
import { Config } from '../../src/config/config.ts'
import { anyText } from './pieces.ts'

const heard = (source: string, chars: number): string => heardSource({ text: toSpeakable(source).text, source }, chars)

describe('heard text', () => {
  it('a word that was cut is left out', () => {
    const source = 'One two three four five six seven.'
    expect(heard(source, 17)).toBe('One two three')
    expect(heard(source, 18)).toBe('One two three four')
    expect(heard(source, 19)).toBe('One two three four')
    expect(heard(source, source.length - 1)).toBe('One two three four five six seven')
    expect(heard(source, source.length)).toBe(source)
    expect(heard(source, 2)).toBe('')
    expect(heard(source, 0)).toBe('')
    expect(heard(source, Number.NaN)).toBe('')
    expect(heard(source, -1)).toBe('')
  })

  it('markup that closes a heard word stays with it, markup that opens the next does not', () => {
    const source = '**Two** things are `ready` now, **see** [the page](https://e.org/x) soon.'
    expect(heard(source, 3)).toBe('**Two**')
    expect(heard(source, 20)).toBe('**Two** things are `ready`')
    expect(heard(source, 'Two things are ready now,'.length)).toBe('**Two** things are `ready` now,')
    expect(heard(source, 'Two things are ready now, see the page'.length)).toBe(
      '**Two** things are `ready` now, **see** [the page](https://e.org/x)',
    )
    expect(heard('今天**天气**很好。', 2)).toBe('今天')
    expect(heard('今天**天气**很好。', 4)).toBe('今天**天气**')
  })

  it('numbers, contractions and Chinese, Thai words are whole words', () => {
    expect(heard("It costs 3,000.50 and I don't mind.", 12)).toBe('It costs')
    expect(heard("It costs 3,000.50 and I don't mind.", 27)).toBe('It costs 3,000.50 and I')
    expect(heard('我们去公园吧。', 4)).toBe('我们去')
    expect(heard('สวัสดีครับ', 4)).toBe('')
    expect(heard('สวัสดีครับ', 6)).toBe('สวัสดี')
  })

  it('emoji and list marks that were not said do not shift the words', () => {
    expect(heard('- 🎉 Great 👍 news today', 5)).toBe('- 🎉 Great')
    expect(heardSource({ text: 'let **a** be', source: 'let **a** be' }, 9)).toBe('let **a**')
    expect(heardSource({ text: 'Well done', source: '— 🎉\nWell done' }, 4)).toBe('— 🎉\nWell')
  })

  it('is a growing prefix of the source, made of whole words', () => {
    const { segments } = Config.parse({})
    const words = new Intl.Segmenter('en', { granularity: 'word' })
    fc.assert(
      fc.property(anyText, (text) => {
        const segmenter = createSegmenter({ language: 'en', segments })
        for (const segment of [...segmenter.push(text), ...segmenter.end()]) {
          let before = ''
          for (let chars = 0; chars <= segment.text.length; chars += 1) {
            const now = heardSource(segment, chars)
            expect(segment.source.startsWith(now)).toBe(true)
            expect(now.startsWith(before)).toBe(true)
            before = now
          }
          expect(before).toBe(segment.source)
          if (segment.text !== segment.source) continue
          const ends = new Set(
            [...words.segment(segment.text)].map(({ index, segment: word }) => index + word.length).concat(0),
          )
          for (let chars = 0; chars <= segment.text.length; chars += 1) {
            expect(ends.has(heardSource(segment, chars).length)).toBe(true)
          }
        }
      }),
      { numRuns: 1_500 },
    )
  })
})
