/** What kind of character stands at a place: the questions that cutting and speaking ask. */

const spoken = /[\p{L}\p{N}\p{Sc}]/u
const pictograph =
  /(?![©®™‼⁉])(?:\p{Extended_Pictographic}|\p{Regional_Indicator}|\p{Emoji_Modifier}|\u200d|\ufe0f|\u20e3)/u
const closing = /[\p{Pe}\p{Pf}]/u
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u
const sentenceTerminal = /\p{Sentence_Terminal}/u

/** The whole character at `i`: one code point. */
export const characterAt = (text: string, i: number): string => String.fromCodePoint(text.codePointAt(i) ?? 0)

/** Whether anything in the text is said: a letter, a number or a currency. */
export const isSpoken = (text: string): boolean => spoken.test(text)
export const isLowerCase = (character: string): boolean => /\p{Ll}/u.test(character)
export const isUpperCase = (character: string): boolean => /\p{Lu}/u.test(character)
export const isDigit = (character: string): boolean => /\p{Nd}/u.test(character)
export const isPictograph = (character: string): boolean => pictograph.test(character)
export const isClosing = (character: string): boolean => closing.test(character)
/** Scripts that put no space between words; hangul does. */
export const isUnspaced = (text: string): boolean => unspaced.test(text)
/** The same of the character at `i`. Below are the alphabets; between, the quotes and dashes that they use too. */
export const isUnspacedAt = (text: string, i: number): boolean => {
  const code = text.charCodeAt(i)
  return code >= 0xe00 && (code < 0x2000 || code > 0x206f) && isUnspaced(characterAt(text, i))
}

/** All of them white space to `isSpace`, which U+0085 is not: a segment that began with one would end before it began. */
export const isNewline = (code: number): boolean => code === 0x0a || code === 0x0d || code === 0x2028 || code === 0x2029

/** White space as `String.prototype.trim` sees it, so that gaps and trimmed sources fit together. */
export const isSpace = (code: number): boolean =>
  code === 0x20 ||
  (code >= 0x09 && code <= 0x0d) ||
  (code >= 0xa0 &&
    (code === 0xa0 ||
      code === 0x1680 ||
      (code >= 0x2000 && code <= 0x200a) ||
      code === 0x2028 ||
      code === 0x2029 ||
      code === 0x202f ||
      code === 0x205f ||
      code === 0x3000 ||
      code === 0xfeff))

/** White space that a number such as `10 000` or a French `« ` is held together with. */
export const isBreakingSpace = (code: number): boolean =>
  isSpace(code) && code !== 0xa0 && code !== 0x202f && code !== 0x2007 && code !== 0xfeff

/** True for a lone first half of a surrogate pair at the end of what has been read. */
export const isCutCharacter = (text: string, i: number, end: number): boolean => {
  const code = text.charCodeAt(i)
  return code >= 0xd800 && code <= 0xdbff && i + 1 >= end
}

const unknown = 0
const said = 1
const silent = 2
const spokenByUnit = new Uint8Array(0x1_0000)

/** Whether the character at `i` is said. Each code unit is asked of Unicode once. */
export function isSpokenAt(text: string, i: number): boolean {
  const unit = text.charCodeAt(i)
  if (unit >= 0xd800 && unit <= 0xdbff) return isSpoken(characterAt(text, i))
  const kind = spokenByUnit[unit] ?? unknown
  if (kind !== unknown) return kind === said
  const isSaid = isSpoken(String.fromCharCode(unit))
  spokenByUnit[unit] = isSaid ? said : silent
  return isSaid
}

const terminalByCode = new Map<number, boolean>()

/** Length of the sentence terminator at `i`, 0 where there is none. `…` counts, though Unicode leaves it out. */
export function terminatorLength(text: string, i: number): number {
  const code = text.charCodeAt(i)
  if (code === 0x2e || code === 0x21 || code === 0x3f || code === 0x2026) return 1
  // No terminators among Latin, Han, kana and hangul: the bulk of all text is passed over without a look-up.
  if (code < 0x37e || (code >= 0x3040 && code <= 0xd7ff && (code < 0xa000 || code >= 0xac00))) return 0
  const point = text.codePointAt(i) ?? code
  let known = terminalByCode.get(point)
  if (known === undefined) {
    known = point === 0x37e || sentenceTerminal.test(String.fromCodePoint(point))
    if (terminalByCode.size < 4_096) terminalByCode.set(point, known)
  }
  return known ? (point > 0xffff ? 2 : 1) : 0
}
