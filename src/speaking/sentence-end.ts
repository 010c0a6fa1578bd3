import { abbreviationOf, isStarter } from './abbreviations.ts'
import {
  characterAt,
  isClosing,
  isCutCharacter,
  isDigit,
  isLowerCase,
  isNewline,
  isPictograph,
  isSpace,
  isSpoken,
  isUnspaced,
  isUpperCase,
  terminatorLength,
} from './characters.ts'

/** What is known of a place where a sentence may end. It never changes once it is not `wait`. */
export type Verdict =
  | { kind: 'wait' }
  /** The sentence ends before `at`. */
  | { kind: 'end'; at: number }
  /** No end here; look on from `from`. */
  | { kind: 'none'; from: number }

/** The stretch of text being judged: `start` is where the segment began, `end` how far may be looked. */
export interface Stretch {
  text: string
  start: number
  end: number
  /** The text is over at `end`. */
  isOver: boolean
  /** The segment begins at the beginning of a line. */
  startsLine: boolean
  language: string
}

/** What comes after a terminator and what closes it. */
interface Follower {
  /** The first character that is said. */
  at: number
  /** End of the sentence, should it end: behind emoji that stand on its line. */
  boundary: number
  isApart: boolean
  isNewLine: boolean
  /** A blank line, a list item, a heading, a fence: never the same sentence wrapped. */
  isBlock: boolean
  /** `¿`, `¡` or a piece of code: a sentence begins, whatever the case of its first letter. */
  isOpened: boolean
}

const waiting: Verdict = { kind: 'wait' }
const attached = /[*_~`"'«»“”‘’]/u
const blockMark = /[-*+#>|•`~=–]/u
const ordinalLanguages = /^(?:de|da|nb|nn|no|fi|cs|sk|hu|hr|sl|et|lv|tr|is)\b/i

/** Next place at or after `from` where a sentence might end: a terminator or the end of a line. -1: none. */
export function nextCandidate(text: string, from: number, end: number, language: string): number {
  const greek = language.startsWith('el')
  for (let i = from; i < end; i += 1) {
    const code = text.charCodeAt(i)
    if (isCutCharacter(text, i, end)) return -1
    if (code > 0x3f && code < 0x85) continue
    if (isNewline(code) || terminatorLength(text, i) > 0 || (greek && code === 0x3b)) return i
  }
  return -1
}

/**
 * Judges whether a sentence ends at the terminator (or line end) at `at`. It is certain only when the next sentence has
 * begun, that is when something that can be said follows: `etc. (` looks finished until `and` arrives.
 */
export function judgeSentenceEnd(stretch: Stretch, at: number): Verdict {
  const { text, end, isOver } = stretch
  const mark = text[at] ?? ''
  const isAscii = mark < '\u0080' || mark === '…'
  let i = at
  while (i < end) {
    const length = mark === ';' && text[i] === ';' ? 1 : terminatorLength(text, i)
    if (length === 0 || isCutCharacter(text, i, end)) break
    i += length
  }
  const runEnd = i
  while (i < end && closesSentence(stretch, at, i, isAscii)) i += characterAt(text, i).length
  // `« Oui. »`: French puts a space before the mark that closes.
  if (
    isSpace(text.charCodeAt(i)) &&
    text[i + 1] === '»' &&
    i + 1 < end &&
    text.lastIndexOf('«', at) > text.lastIndexOf('»', at)
  )
    i += 2
  const closed = text.slice(runEnd, i)
  const follower = lookAhead(stretch, i)
  if (follower === null) return isOver ? { kind: 'none', from: end } : waiting

  const ends: Verdict = { kind: 'end', at: follower.boundary }
  const none: Verdict = { kind: 'none', from: Math.max(runEnd, at + 1) }
  if (isInsideLink(text, stretch.start, at)) return none
  const next = characterAt(text, follower.at)
  const goesOn = isLowerCase(next) && !follower.isOpened
  if (!isAscii && !isNewline(mark.charCodeAt(0))) {
    if (/^[」』”]/u.test(closed) && /[とっ]/u.test(next)) return none
    if (mark === '．' && isDigit(next)) return none
    return goesOn && closed !== '' ? none : ends
  }
  if (mark === '!' || mark === '?') {
    if (follower.isApart) return goesOn && !follower.isNewLine && /["'”’»]/u.test(closed) ? none : ends
    return isUnspaced(next) && isUnspaced(text.slice(Math.max(0, at - 1), at)) ? ends : none
  }
  if (follower.isNewLine) return goesOn && !follower.isBlock && !isHeading(text, at) ? none : ends
  if (!follower.isApart || goesOn) return none
  if (mark !== '.' || runEnd - at > 1) return ends
  switch (judgeFullStop(stretch, at, follower.at, next)) {
    case 'wait':
      return waiting
    case 'end':
      return ends
    case 'none':
      return none
  }
}

/** A single full stop before white space and something that is not a small letter. */
function judgeFullStop(
  { text, start, end, isOver, startsLine, language }: Stretch,
  at: number,
  next: number,
  first: string,
) {
  const word = (/[\p{L}\p{M}\p{N}.'’-]+$/u.exec(text.slice(Math.max(start, at - 40), at))?.[0] ?? '').replace(
    /^['’.-]+/,
    '',
  )
  if (/^\p{Nd}{1,3}$/u.test(word)) {
    const lineStart = text.lastIndexOf('\n', at - 1) + 1
    const before = text.slice(Math.max(lineStart, start), at - word.length)
    // `1. Milk`: the number of a list
    if ((startsLine || lineStart > start) && /^[\s>*_#-]*$/.test(before)) return 'none'
    // `am 5. Mai`
    if (word.length < 3 && ordinalLanguages.test(language)) return judgeByNextWord()
    return 'end'
  }
  // `-3.5°C.` is no initial.
  if (word.length === 1 && /[^\s\p{P}*_~`]/u.test(text[at - 2] ?? ' ')) return 'end'
  switch (abbreviationOf(word)) {
    case 'none':
      return 'end'
    case 'before-more':
      return 'none'
    case 'before-number':
      return isDigit(first) ? 'none' : 'end'
    case 'either':
      return judgeByNextWord()
  }

  function judgeByNextWord() {
    if (!isUpperCase(first)) return /\p{Lo}/u.test(first) ? 'end' : 'none'
    let wordEnd = next
    while (wordEnd < end && /[\p{L}\p{M}'’]/u.test(characterAt(text, wordEnd)))
      wordEnd += characterAt(text, wordEnd).length
    if ((wordEnd >= end || isCutCharacter(text, wordEnd, end)) && !isOver) return 'wait'
    const isInitial = wordEnd - next === 1 && text[wordEnd] === '.'
    return !isInitial && isStarter(text.slice(next, wordEnd), language) ? 'end' : 'none'
  }
}

/** Quotes, brackets and emphasis that close the sentence belong to it. */
function closesSentence({ text, start }: Stretch, at: number, i: number, isAscii: boolean): boolean {
  const character = characterAt(text, i)
  if (isClosing(character)) return true
  if (!attached.test(character)) return false
  // After an ASCII terminator nothing ends without white space, so what is attached closes. `你好。**我们**` opens.
  if (isAscii) return true
  if (/[“‘«]/u.test(character)) return false
  return text.slice(start, at).split(character).length % 2 === 0
}

/** Finds what is said next; null while that is not known. */
function lookAhead({ text, end }: Stretch, from: number): Follower | null {
  const found: Follower = { at: -1, boundary: from, isApart: false, isNewLine: false, isBlock: false, isOpened: false }
  let atLineStart = false
  let isPunctuated = false
  let i = from
  while (i < end) {
    if (isCutCharacter(text, i, end)) return null
    const code = text.charCodeAt(i)
    const character = characterAt(text, i)
    if (isSpace(code) || isNewline(code)) {
      if (isNewline(code) && found.isNewLine && !(code === 0x0a && text[i - 1] === '\r')) found.isBlock = true
      if (isNewline(code)) found.isNewLine = atLineStart = true
      found.isApart = true
    } else if (isSpoken(character)) {
      return { ...found, at: i }
    } else {
      if (atLineStart && blockMark.test(character)) found.isBlock = true
      if (atLineStart && (text.startsWith('```', i) || text.startsWith('~~~', i))) {
        // The word after an opening fence names a language and is not said.
        i = text.indexOf('\n', i)
        if (i < 0 || i >= end) return null
        continue
      }
      if (code === 0x3c && /[a-z/]/i.test(text[i + 1] ?? 'a')) {
        const close = text.indexOf('>', i)
        if (close < 0 || close >= end) return null
        i = close
      } else if (isPictograph(character)) {
        if (!found.isNewLine && !isPunctuated) found.boundary = i + character.length
        found.isApart = true
      } else {
        isPunctuated = true
        if (/[¿¡`]/.test(character)) found.isOpened = true
      }
      atLineStart = false
    }
    i += isSpoken(character) ? 0 : Math.max(1, character.length)
  }
  return null
}

/**
 * The words of a link may hold terminators, and its address white space; a link is not cut. Only what stands before `at`
 * is looked at: what comes later must not change the answer.
 */
export function isInsideLink(text: string, start: number, at: number): boolean {
  if (isNewline(text.charCodeAt(at))) return false
  const before = text.slice(Math.max(start, at - 200), at)
  const open = before.lastIndexOf('[')
  const close = before.lastIndexOf(']')
  if (open < 0 || before.includes('\n', open)) return false
  return close < open || (before[close + 1] === '(' && !before.includes(')', close))
}

const isHeading = (text: string, at: number): boolean =>
  /^\s*[#|]/.test(text.slice(text.lastIndexOf('\n', at - 1) + 1, at))
