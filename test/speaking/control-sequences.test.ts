import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Config } from '../../src/config/config.ts'
import { heardSource } from '../../src/speaking/heard-text.ts'
import { createSegmenter, type CutSegment } from '../../src/speaking/segmenter.ts'
import { toSpeakable } from '../../src/speaking/to-speakable.ts'
import { anySlicing, slice } from './pieces.ts'

const { segments } = Config.parse({})
const raw = new RegExp(
  String.raw`[\0-\u001f\u007f-\u009f\u2028\u2029\p{Bidi_Control}\p{Surrogate}\u{e0000}-\u{e007f}]`,
  'u',
)

const cutAll = (deltas: readonly string[]): CutSegment[] => {
  const segmenter = createSegmenter({ language: 'en', segments })
  const cuts = deltas.flatMap((delta) => segmenter.push(delta))
  return [...cuts, ...segmenter.end()]
}

describe('what drives a terminal is not said', () => {
  it.each([
    ['a \u001b[31;1mred\u001b[0m word', 'a red word', 'CSI: colours'],
    ['\u001b[2J\u001b[?25l\u001b[1 qClear', 'Clear', 'CSI: the screen, the cursor'],
    ['a \u009b4mline\u009b0m', 'a line', 'CSI in one character'],
    ['\u001b]0;a title\u0007Hi', 'Hi', 'OSC, ended by a bell'],
    ['\u001b]0;a title\u001b\\Hi', 'Hi', 'OSC, ended by ST'],
    ['\u001b]0;a title\u009cHi', 'Hi', 'OSC, ended by ST in one character'],
    ['\u009d0;a title\u0007Hi', 'Hi', 'OSC in one character'],
    ['\u001b]8;;https://e.org\u001b\\the page\u001b]8;;\u001b\\ is open', 'the page is open', 'OSC: a link'],
    ['\u001bPq#0;2;0\u001b\\Hi', 'Hi', 'DCS'],
    ['\u0090q#0\u009cHi', 'Hi', 'DCS in one character'],
    ['\u001bXa\u001b\\\u001b^b\u001b\\\u001b_c\u001b\\Hi', 'Hi', 'SOS, PM, APC'],
    ['\u001bP cancelled\u0018Hi \u001bP too\u001athere', 'Hi there', 'cancelled strings'],
    ['\u001b(B\u001b7\u001bcHi', 'Hi', 'two and three characters'],
    ['Hi \u001b', 'Hi', 'an escape at the end'],
    ['Hi \u001b[3', 'Hi', 'a sequence at the end'],
    ['Hi \u001b]0;a title', 'Hi', 'a string at the end'],
    ['\u001b]0;a title\nHi', 'Hi', 'a string is over with its line'],
    ['\u001b]0;a title\u001b[1mHi', 'Hi', 'a string is over when the next sequence begins'],
    ['She said \u009d no more', 'She said no more', 'a string in one character needs its end'],
    ['a\0b\u0008c\u007fd\u0084e', 'abcde', 'control characters'],
    ['a\u0085b\u000bc\u000cd\te', 'a b c d e', 'white space is white space'],
    ['a\u202eb\u202cc\u2066d\u2069e\u200ef\u061cg', 'abcdefg', 'the direction of writing'],
    ['a\ud83db\udc4dc', 'abc', 'halves of characters'],
    ['a\u{e0061}\u{e0062}b\ufff9c', 'abc', 'tags and annotations'],
    ['\u001b[1m# Title\u001b[0m', 'Title', 'Markdown within'],
    ['`\u001b[1mcode\u001b[0m` \u001b[31m**bold**', 'code bold', 'code and emphasis within'],
  ])('%j is said as %j: %s', (source, text) => {
    expect(toSpeakable(source).text).toBe(text)
  })

  it('a string goes on in the next segment, unless a line lies between', () => {
    const opened = toSpeakable('Hi \u001b]52;c;YWJj')
    expect(opened).toEqual({ text: 'Hi', state: { fence: null, isInString: true } })
    const inside = toSpeakable('YWJj', opened.state)
    expect(inside).toEqual({ text: '', state: { fence: null, isInString: true } })
    for (const end of ['\u0007', '\u009c', '\u001b\\', '\u0018']) {
      expect(toSpeakable(`YWJj${end}Bye`, inside.state)).toEqual({ text: 'Bye', state: { fence: null } })
      expect(toSpeakable(`YWJj${end}`, inside.state)).toEqual({ text: '', state: { fence: null } })
    }
    expect(toSpeakable('YWJj\nBye', inside.state)).toEqual({ text: 'Bye', state: { fence: null } })
    expect(toSpeakable('YWJj\u001b[1mBye', inside.state)).toEqual({ text: 'Bye', state: { fence: null } })
  })

  it('a payload longer than a segment is dropped whole', () => {
    const source = `Hello there. \u001b]52;c;${'YWJj'.repeat(300)}\u0007 Bye now. \u001b]0;${'b'.repeat(300)}\nThe end.`
    expect(
      cutAll([source])
        .map(({ text }) => text)
        .filter((text) => text !== '…'),
    ).toEqual(['Hello there.', 'Bye now.', 'The end.'])
    expect(cutAll(slice(source, [1]))).toEqual(cutAll([source]))
  })

  it('sentences end where they would without it', () => {
    expect(cutAll(['One.\u001b[0m Two.\u001b]0;t\u0007 Three.\u009b0m\nFour.']).map(({ text }) => text)).toEqual([
      'One.',
      'Two.',
      'Three.',
      'Four.',
    ])
  })

  it('what was heard keeps the source', () => {
    const source = 'A \u001b[31mred\u001b[0m word\0 here'
    expect(toSpeakable(source).text).toBe('A red word here')
    expect(heardSource({ text: 'A red word here', source }, 5)).toBe('A \u001b[31mred')
    expect(heardSource({ text: 'A red word here', source }, 10)).toBe('A \u001b[31mred\u001b[0m word')
    expect(heardSource({ text: 'Bye now', source: 'YWJj\u0007Bye now' }, 3)).toBe('YWJj\u0007Bye')
  })
})

const pieces = [
  ['\u001b', '\u001b[', '\u001b]', '\u001b\\', '\u001bP', '\u009b', '\u009d', '\u009c', '\u0007', '\u0018'],
  ['31m', '0;', 'a', 'A b. ', 'C ', '\n', ' ', '\t', '\0', '\u202e', '\ud83d', '\udc4d', '\u0085'],
  ['`', '**', '[', '](', '|'],
].flat()

describe('whatever a model writes', () => {
  const unit = fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 2 }))
  const anyRaw = fc.array(unit, { maxLength: 40 }).map((units) => units.join(''))

  it('nothing raw is spoken, none of the source is lost, and slicing changes nothing', () => {
    fc.assert(
      fc.property(anyRaw, anySlicing, (text, lengths) => {
        const cuts = cutAll([text])
        for (const cut of cuts) expect(cut.text).not.toMatch(raw)
        if (cuts.length > 0) expect(cuts.map(({ gap, source }) => gap + source).join('')).toBe(text.trim())
        expect(cutAll(slice(text, lengths))).toEqual(cuts)
      }),
      { numRuns: 3_000 },
    )
  })
})
