import { describe, expect, it } from 'vitest'
import { Config } from '../../src/config/config.ts'
import { createSegmenter, type CutSegment } from '../../src/speaking/segmenter.ts'

const { segments } = Config.parse({})

const cutAll = (deltas: readonly string[], language = 'en'): CutSegment[] => {
  const segmenter = createSegmenter({ language, segments })
  const cuts = deltas.flatMap((delta) => segmenter.push(delta))
  return [...cuts, ...segmenter.end()]
}
const sentences = (text: string, language = 'en'): string[] =>
  cutAll(Array.from(text), language).map(({ source }) => source)

describe('sentences of a hard text', () => {
  const cases: [language: string, ...sentences: string[]][] = [
    [
      'en',
      'Your receipt arrived here yesterday evening.',
      'Dr. J. Smith paid $3.50 at 5 p.m. on Jan. 5 via example.com today.',
      'Thanks.',
    ],
    ['en', 'Use etc. (and so on) freely.', 'Then stop.'],
    ['en', 'It was founded by J. R. R. Tolkien, Inc. of Oxford.', 'That is all.'],
    ['en', 'He moved to the U.S. in 1999.', 'The U.N. helped.', 'It ended at 5 p.m.', 'Then we left.'],
    ['en', 'Fig. 3 shows pp. 4 and 5 of vol. 2.', 'No.', 'Yes.'],
    ['en', 'See https://example.com/a?b=1.2&c=d!x for v1.2.3.', 'Mail me at a.b@c.org.', 'Ok?'],
    ['en', 'The file is main.test.ts, see node.js.', 'Run it.'],
    ['en', 'He said "Go!" and left.', '"No."', 'Yes.'],
    ['en', '(It rained.)', 'We left.'],
    [
      'en',
      'Vitamin C.',
      'It is -3.5°C.',
      'The U.S. Senate sat until Dec. 25.',
      'I live in the U.S.',
      'My wife does too.',
    ],
    ['en', 'Wait... what?', 'Hmm… no.', 'Really?!', 'Yes!!!', 'Fine.'],
    ['en', 'Pi is 3.14159, and -5.5 is less than .5 or so.', '3 of 4 agree.'],
    ['en', 'Great! 🎉', 'Next one.', 'Hi!👍🏽', 'The family 👨‍👩‍👧 is here. 🇫🇷', 'France won.'],
    ['en', '**Done.**', 'Now *go*.', '`x.y` is set.'],
    ['en', 'Read [this. And that](https://e.org/a.b) now.', 'Bye.'],
    ['en', 'E.g. Paris, i.e. the capital, vs. Rome.', 'Ph.D. students too.'],
    ['en', 'hello!', 'how are you?', 'fine. and you?', 'Good.'],
    ['de', 'Am 5. Mai kam Dr. Müller z.B. um 3 Uhr.', 'Das war gut.', '„Ja.“', 'Er ging usw. nach Hause.'],
    ['fr', 'M. Dupont a payé 3,50 € à Mme. Leroy !', '« Oui. »', 'Il est parti.'],
    ['es', 'El Sr. Gómez llegó.', '¿Qué tal?', '¡Hola!', 'Bien, gracias.'],
    ['ru', 'А. С. Пушкин родился в 1799 г. в Москве.', 'Он писал стихи и т.д. и т.п.', 'Это всё.'],
    ['zh', '今天天气很好。', '我们去公园吧！', '“好的。”', '价格是3.5元。', '走吗?', '走。'],
    ['ja', '「行こう。」と言った。', 'そして去った。', '本当ですか？', 'はい！'],
    ['ko', '안녕하세요.', '오늘 날씨가 좋네요!', '갈까요?'],
    ['hi', 'नमस्ते।', 'आप कैसे हैं?', 'मैं ठीक हूँ।'],
    ['ar', 'كيف حالك؟', 'أنا بخير.', 'شكرا لك!'],
    ['th', 'สวัสดีครับ ผมชื่อสมชาย ยินดีที่ได้รู้จัก'],
    ['el', 'Τι κάνεις;', 'Καλά.'],
    ['hy', 'Բարեւ։', 'Ինչպես ես։'],
  ]
  it.each(
    cases.map(([language, ...expected]) => ({
      language,
      expected,
      text: expected.join(/^(?:zh|ja)/.test(language) ? '' : ' '),
    })),
  )('$language: $text', ({ language, expected, text }) => {
    expect(sentences(text, language)).toEqual(expected)
  })

  it('lines of a list are segments of their own, a wrapped line is not', () => {
    expect(sentences('# Steps\n\n1. Mix the eggs\n2. Bake. Then wait\n- Serve\nwith love')).toEqual([
      '# Steps',
      '1. Mix the eggs',
      '2. Bake.',
      'Then wait',
      '- Serve\nwith love',
    ])
  })
})

describe('what time does not force', () => {
  it('a sentence is known when the next one has begun, and not before', () => {
    const segmenter = createSegmenter({ language: 'en', segments, unspokenMs: () => 0 })
    const known = 'One two three four five six seven. Eight nine ten eleven twelve.'
      .match(/\s*\S+/gu)
      ?.map((delta) => segmenter.push(delta).map(({ text }) => text))
    expect(known?.slice(0, 7).flat()).toEqual([])
    expect(known?.[7]).toEqual(['One two three four five six seven.'])
    expect(segmenter.end().map(({ text }) => text)).toEqual(['Eight nine ten eleven twelve.'])
  })

  it('Chinese is cut where it arrives without a space', () => {
    const cuts = cutAll(['今天', '天气', '很好', '。', '我们', '去', '公园', '吧', '。'], 'zh')
    expect(cuts.map(({ text, gap }) => [text, gap])).toEqual([
      ['今天天气很好。', ''],
      ['我们去公园吧。', ''],
    ])
  })

  it('Markdown is spoken plainly and kept in the source', () => {
    expect(cutAll(['**Two** things ', 'are `ready` now.'])).toEqual([
      { index: 0, text: 'Two things are ready now.', source: '**Two** things are `ready` now.', gap: '' },
    ])
  })

  it('what cannot be said goes with its neighbour', () => {
    const cuts = cutAll(['🎉\n---\nGreat news! 👍', '\n\n🎈 ', 'More.', '\n🎊🎊'])
    expect(cuts.map(({ text }) => text)).toEqual(['Great news!', 'More.'])
    expect(cuts.map(({ gap, source }) => gap + source).join('')).toBe('🎉\n---\nGreat news! 👍\n\n🎈 More.\n🎊🎊')
  })

  it('a reply of emoji alone has no segment', () => {
    expect(cutAll(['🎉', ' ', '👍'])).toEqual([])
  })
})

describe('what time forces', () => {
  const forced = (text: string, unspoken: () => number, language = 'en'): string[] => {
    const segmenter = createSegmenter({ language, segments, unspokenMs: unspoken })
    const cuts = (text.match(/\s*\S+/gu) ?? []).flatMap((delta) => segmenter.push(delta))
    return [...cuts, ...segmenter.end()].map(({ source }) => source)
  }

  it('a clause is cut while little is left unspoken', () => {
    const text = 'As you may know, the shop, which is old, opens at noon, but not on Sundays or in winter.'
    expect(forced(text, () => 1_000)).toEqual([
      'As you may know,',
      'the shop, which is old, opens at noon,',
      'but not on Sundays or in winter.',
    ])
    expect(forced(text, () => 1_500)).toEqual([text])
  })

  it('eight words are cut while the voice is about to fall silent', () => {
    const text = 'one two three four five six seven eight nine ten eleven'
    expect(forced(text, () => 399)).toEqual(['one two three four five six seven eight', 'nine ten eleven'])
    expect(forced(text, () => 400)).toEqual([text])
  })

  it('what one delta brings is not cut into more pieces than the silence needs', () => {
    const segmenter = createSegmenter({ language: 'en', segments, unspokenMs: () => 0 })
    expect(
      segmenter.push(
        'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen',
      ),
    ).toHaveLength(1)
  })

  it('numbers, initials, abbreviations and addresses stay whole', () => {
    expect(forced('a b c d e f g Dr. J. Smith paid', () => 0)).toEqual(['a b c d e f g Dr. J. Smith', 'paid'])
    expect(forced('a b c d e f about 10 000 people', () => 0)).toEqual(['a b c d e f about 10 000', 'people'])
    expect(forced('It costs about 1,000,000 dollars', () => 0)).toEqual(['It costs about 1,000,000 dollars'])
  })

  it('nothing is cut off that leaves only what cannot be said', () => {
    expect(forced('Well done my friend, 🎉 🎊', () => 0)).toEqual(['Well done my friend, 🎉 🎊'])
  })

  it('words are counted in languages without spaces', () => {
    const segmenter = createSegmenter({ language: 'zh', segments, unspokenMs: () => 0 })
    const cuts = Array.from('我们明天早上要去北京大学图书馆看书学习中文').flatMap((delta) => segmenter.push(delta))
    expect(cuts.length).toBeGreaterThan(0)
    expect(forced('我们去了那个很大的公园，然后回家了。', () => 1_000, 'zh')).toEqual([
      '我们去了那个很大的公园，',
      '然后回家了。',
    ])
  })
})

describe('no segment is longer than maxChars', () => {
  it.each([
    ['words', 'word '.repeat(200)],
    ['one word', 'x'.repeat(1_000)],
    ['Chinese', '我们去公园'.repeat(200)],
    ['Thai', 'สวัสดีครับผมชื่อสมชาย'.repeat(60)],
    ['emoji', `${'👨‍👩‍👧'.repeat(300)} Hello`],
    ['one endless character', `a${'\u0301'.repeat(1_000)}`],
  ])('%s', (_name, text) => {
    const cuts = cutAll(Array.from(text))
    expect(Math.max(...cuts.map((cut) => cut.text.length))).toBeLessThanOrEqual(240)
    expect(cuts.map(({ gap, source }) => gap + source).join('')).toBe(text.trim())
  })

  it('a clause is the best place to cut', () => {
    const text = `${'word '.repeat(30)}end, ${'word '.repeat(30)}`
    expect(cutAll([text])[0]?.source.endsWith('end,')).toBe(true)
  })
})
