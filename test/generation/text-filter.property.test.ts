import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTextFilter, type Filtered } from '../../src/generation/text-filter.ts'

function filter(...slices: string[]) {
  const one = createTextFilter()
  const pieces: Filtered[] = [...slices.flatMap((slice) => one.push(slice)), ...one.end()]
  const of = (kind: Filtered['kind']) => pieces.flatMap((piece) => (piece.kind === kind ? [piece.text] : [])).join('')
  return { text: of('text'), thinking: of('thinking'), stripped: one.stripped }
}

test('template tokens are stripped and counted', () => {
  expect(filter('Hello<|im_', 'end|> there.</s>')).toEqual({ text: 'Hello there.', thinking: '', stripped: 2 })
  expect(filter('<start_of_turn>Hi[/INST]<<SYS', '>> you<｜end▁of▁sentence｜>')).toMatchObject({ text: 'Hi you' })
})

test('thinking written into the text is thinking', () => {
  expect(filter('<thi', 'nk>They greet.</th', 'ink>Hello.')).toEqual({
    text: 'Hello.',
    thinking: 'They greet.',
    stripped: 0,
  })
})

test('what only looks like a token is text', () => {
  expect(filter('a <', ' b, a<b, x[', '0] <3').text).toBe('a < b, a<b, x[0] <3')
})

test('however the text is sliced, the same comes out', () => {
  const piece = fc.constantFrom(
    '<|im_end|>',
    '<think>',
    '</think>',
    '<',
    '|>',
    '[INST]',
    '<<SYS>>',
    '</s>',
    'a b',
    '[/',
    '>',
    '😀',
  )
  const sliced = fc.array(piece, { maxLength: 12 }).chain((pieces) => {
    const text = pieces.join('')
    return fc.tuple(fc.constant(text), fc.array(fc.nat(text.length), { maxLength: 8 }))
  })
  fc.assert(
    fc.property(sliced, ([text, cuts]) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), text.length]
      const slices = at.slice(1).map((end, index) => text.slice(at[index], end))
      expect(filter(...slices)).toEqual(filter(text))
    }),
    { numRuns: 2_000 },
  )
})
