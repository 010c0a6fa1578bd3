import fc from 'fast-check'

/** What a text is made of that is meant to be hard, or that only looks like the beginning of something. */
const marks = [...'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~']

const constructs = [
  [
    '|-',
    '| - |',
    '|---|:-:|\n',
    '- ',
    '-\n',
    '* * ',
    '_ _ ',
    '---\n',
    '===\n',
    '# ',
    ' #',
    '# #\n',
    '> > > ',
    '>\n',
    '1. ',
    '1.\n',
  ],
  [
    '![](',
    '[](',
    '[a](',
    '[[a]',
    '[a][',
    '[a]: ',
    '](',
    '[a](b(c',
    '[^1]',
    '**_',
    '*_',
    '~~',
    '``',
    '` `` ',
    '`a``',
    '```\n',
    '~~~`\n',
  ],
  [
    '<a ',
    '<a href="',
    '</',
    '<!--',
    '<!-- -',
    '<?',
    '<br>',
    '<think',
    '<think>',
    '</think>',
    '<|',
    '<|im_',
    '<s>',
    '<<SYS',
    '[INST',
    '[/',
  ],
  ['&amp', '&&amp;', '&#', '\\', '\\`', '\\['],
  [
    '1.1.',
    '1 ',
    '1, ',
    '$1 ',
    '1+',
    '1-',
    '(1',
    '1)',
    '-(',
    'a.b.',
    'A.',
    'A. ',
    'z. B. ',
    'Dr. ',
    'etc. ',
    'etc. (',
    '5 p.m. ',
    'No. 5 ',
  ],
  [
    'http://a.',
    'http://a/',
    'a@b.',
    '...',
    '… ',
    '?!',
    '! ',
    '? ',
    '. ',
    '.\n',
    '."',
    '.)',
    '.» ',
    '« ',
    ' »',
    '“',
    '”',
    "' ",
    'a, ',
    'a - ',
    '—a',
  ],
  ['a', 'a ', 'A ', 'A a. ', 'a. A', '. . A', ' ', '\n', '\r\n', '\t', '\u00a0', '\u3000', ' \n', '\u2028', '\u0085'],
  [
    '。',
    '我',
    '我们',
    '我，',
    '。我',
    '「我。」',
    '我"。',
    'ー',
    'ก',
    'ก ',
    'สวัสดี',
    'ပါ။',
    'क',
    'क। ',
    '각',
    'ا؟ ',
    'Α; ',
  ],
  [
    '👍',
    '👨‍👩‍👧',
    '👨‍',
    '🇫',
    '1️⃣',
    '🏽',
    '\u200d',
    '\ufe0f',
    '\u0301',
    'a\u0301\u0316',
    '\uff9e\u0301',
    '\ud83d',
    '\udc4d',
    '🏴\u{e0067}',
  ],
  [
    '\u001b',
    '\u001b[',
    '\u001b[31m',
    '\u001b]0;',
    '\u001b]0;a\u0007',
    '\u001bP',
    '\u009b',
    '\u009d',
    '\u009da',
    '\u009c',
    '\0',
    '\u0007',
    '\u202e',
    '\u2066',
  ],
  [
    'fail ',
    'model ',
    'cached',
    'context ',
    'okay ',
    'call me ',
    'stop ',
    'stopp',
    'aaaaaaaaaaaaaaab',
    '{"a":',
    'data: ',
    ': ',
  ],
].flat()

export const units: readonly string[] = [...marks, ...constructs]

/** Of these each pair is tried: `[<`, `[<[<` … */
const pairable = [...'[(<*`|-."\n'].concat('A ', '1', '\u001b[')

/** A text of so many characters. */
export type Text = (chars: number) => string

const repeated =
  (unit: string): Text =>
  (chars) =>
    unit.repeat(Math.ceil(chars / unit.length)).slice(0, chars)
/** Half of it opens, half of it closes; or the end is what decides that all before was in vain. */
const nested =
  (one: string, other: string): Text =>
  (chars) =>
    repeated(one)(chars / 2) + repeated(other)(chars / 2)
const ended =
  (unit: string, end: string): Text =>
  (chars) =>
    repeated(unit)(chars - end.length) + end

export const texts: readonly (readonly [name: string, text: Text])[] = [
  ...marks.map((unit) => [JSON.stringify(unit), repeated(unit)] as const),
  ...units.map((unit) => [`${JSON.stringify(unit)} and words`, ended(unit, ' Hello there, my good friend.')] as const),
]

export const pairs: readonly (readonly [name: string, text: Text])[] = pairable.flatMap((one) =>
  pairable.flatMap((other) => [
    [JSON.stringify(one + other), repeated(one + other)] as const,
    [`${JSON.stringify(one)}, then ${JSON.stringify(other)}`, nested(one, other)] as const,
  ]),
)

/** A few units in some order, over and over. */
export const anyText: fc.Arbitrary<Text> = fc
  .array(fc.oneof(fc.constantFrom(...units), fc.string({ unit: 'binary', minLength: 1, maxLength: 3 })), {
    minLength: 1,
    maxLength: 6,
  })
  .chain((all) => fc.constant(repeated(all.join(''))))
