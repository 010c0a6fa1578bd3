import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Config } from '../../src/config/config.ts'
import { createSegmenter } from '../../src/speaking/segmenter.ts'

const { segments } = Config.parse({})
const controls = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).filter((one) =>
  /\p{Cc}/u.test(one),
)

it('control characters and all that ends a line, in any order, are cut without standing still and without loss', () => {
  const texts = fc.array(fc.constantFrom(...controls, '\u2028', '\u2029', ' ', 'a', 'B', '. ', '!'), { maxLength: 30 })
  fc.assert(
    fc.property(texts, (pieces) => {
      const segmenter = createSegmenter({ language: 'en', segments })
      const cuts = [...pieces.flatMap((piece) => segmenter.push(piece)), ...segmenter.end()]
      if (cuts.length === 0) return
      expect(cuts.map(({ gap, source }) => gap + source).join('')).toBe(pieces.join('').trim())
    }),
    { examples: [[['\u0085', '\u2029', 'y']]] },
  )
})
