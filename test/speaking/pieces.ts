import fc from 'fast-check'

/** Pieces of replies in many languages, with all that makes sentence ends hard. */
const pieces = [
  [
    'Hello there',
    'Dr. J. Smith',
    'paid $3.50',
    'at 5 p.m.',
    'on Jan. 5',
    'via example.com',
    'etc. (and so on)',
    'U.S.',
    'e.g.',
  ],
  [
    'It is 3,000.75',
    'v1.2.3',
    'https://a.b/c?d=e.f!g',
    'a@b.org',
    'well-known',
    "don't",
    'No.',
    'the',
    'I',
    '"Go!"',
    '(yes)',
    'Then',
    'a',
  ],
  [
    'Am 5. Mai',
    'z.B. hier',
    'Straße',
    '„Ja.“',
    'Das war gut',
    'M. Dupont',
    '« Oui. »',
    'à 3,50 €',
    'El Sr. Gómez',
    '¿Qué tal?',
    '¡Hola!',
  ],
  [
    'А. С. Пушкин',
    'в 1799 г.',
    'и т.д.',
    'Это всё',
    'Dzień dobry',
    'Merhaba dünya',
    'Γεια σου',
    'Τι κάνεις;',
    'Բարեւ։',
    'שלום עולם',
  ],
  [
    '今天天气很好',
    '我们去公园',
    '价格是3.5元',
    '“好的。”',
    '「行こう。」',
    'そして',
    '本当ですか',
    '안녕하세요',
    '오늘 날씨가',
    'สวัสดีครับ',
    'ยินดีที่ได้รู้จัก',
  ],
  ['नमस्ते।', 'आप कैसे हैं', 'كيف حالك؟', 'أنا بخير', '،', 'မင်္ဂလာပါ။', 'ជំរាបសួរ។', 'ሰላም።', 'ஹலோ'],
  [
    '.',
    '!',
    '?',
    '…',
    '...',
    '?!',
    '。',
    '！',
    '？',
    '।',
    ',',
    ';',
    ':',
    '—',
    ' – ',
    '、',
    '，',
    ')',
    '"',
    '”',
    "'",
    '»',
    ']',
    '(',
  ],
  [
    '👍',
    '👨‍👩‍👧',
    '🇫🇷',
    '1️⃣',
    '🎉🎉',
    '✅',
    '🏽',
    '**',
    '*',
    '_',
    '`',
    '~~',
    '# ',
    '- ',
    '1. ',
    '> ',
    '| a | b |',
    '|---|---|',
    '---',
    '```',
    '```js\n',
  ],
  [
    '[text](https://x.org/y.z)',
    '[',
    '](',
    '![alt. Text](i.png)',
    '<br>',
    '<b',
    '&amp;',
    '\\*',
    '2 * 3',
    'snake_case',
    '\ud83d',
    '\u0301',
    '\u200d',
  ],
].flat()

const blanks = ['', '', ' ', ' ', ' ', ' ', '\n', '\n\n', '  ', '\u00a0', '\r\n', '\u3000']

const piece = fc.tuple(fc.constantFrom(...pieces), fc.constantFrom(...blanks)).map(([words, blank]) => words + blank)

/** A text of such pieces; every tenth is any Unicode at all. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 9, arbitrary: fc.array(piece, { maxLength: 14 }).map((all) => all.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
)

/** The same text in deltas of the lengths given, in turn: a code unit is the smallest, as a backend may cut. */
export function slice(text: string, lengths: readonly number[]): string[] {
  const deltas: string[] = []
  for (let i = 0, turn = 0; i < text.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? 1
    deltas.push(text.slice(i, i + length))
    i += length
  }
  return deltas
}

export const anySlicing: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 1, max: 9 }), {
  minLength: 1,
  maxLength: 5,
})
export const anyLanguage: fc.Arbitrary<string> = fc.constantFrom(
  'en',
  'de',
  'fr',
  'es',
  'ru',
  'zh',
  'ja',
  'th',
  'hi',
  'ar',
  'el',
  'ko',
)
