import { abbreviationOf } from './abbreviations.ts'
import { isBreakingSpace, isSpace, isSpoken, isUnspaced } from './characters.ts'
import { isInsideLink } from './sentence-end.ts'

/** A place inside a sentence where a voice may pause; `words` is how many whole words stand before it. */
export interface BreakPlace {
  at: number
  isClause: boolean
  words: number
}

const wordSegmenter = new Intl.Segmenter('en', { granularity: 'word' })
const graphemeSegmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
const clauseEnd = /(?:[,;:،؛፣፤፥][\p{Pe}\p{Pf}"'*_~`]*|[—–])$/u
const wideClauseEnd = /[，、；：､—][\p{Pe}\p{Pf}*_~`]*$/u

/**
 * The first place between `start` and `end` where a segment may be cut inside a sentence and that is wanted: never inside
 * a number, an abbreviation, an initial, a URL or a link. `isWanted` is asked before those costlier questions, `take`
 * after them; the place that it takes is returned, else -1.
 */
export function findBreakPlace(
  text: string,
  start: number,
  end: number,
  isWanted: (place: BreakPlace) => boolean,
  take: (place: BreakPlace) => boolean,
): number {
  let words = 0
  const isTaken = (at: number, isClause: boolean): boolean => {
    if (at <= start) return false
    const place = { at, isClause, words }
    return isWanted(place) && isDivisible(text, start, at, end) && !isInsideLink(text, start, at) && take(place)
  }

  if (!hasUnspaced(text, start, end)) {
    let isWord = false
    for (let i = start; i < end; i += 1) {
      const code = text.charCodeAt(i)
      if (!isSpace(code)) {
        isWord ||= (code >= 0x30 && code <= 0x39) || code >= 0x41
        if (code === 0x2014 && i + 1 < end && /\p{L}/u.test(text[i + 1] ?? '') && isTaken(i + 1, true)) return i + 1
        continue
      }
      if (isWord) words += 1
      isWord = false
      if (isBreakingSpace(code) && i > start && isTaken(i, endsClause(text, start, i))) return i
    }
    return -1
  }
  let before = ''
  for (const { segment, index, isWordLike } of wordSegmenter.segment(text.slice(start, end))) {
    const at = start + index
    if (before !== '' && isBreakable(before, segment)) {
      const isThaiPause = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]$/u.test(before) && isSpace(segment.charCodeAt(0))
      const isClause =
        isThaiPause ||
        wideClauseEnd.test(text.slice(Math.max(start, at - 4), at)) ||
        (isSpace(segment.charCodeAt(0)) && endsClause(text, start, at))
      if (isTaken(at, isClause)) return at
    }
    if (isWordLike === true) words += 1
    before = segment
  }
  return -1
}

function endsClause(text: string, start: number, at: number): boolean {
  const last = text.charCodeAt(at - 1)
  const isPlainLetter = (last >= 0x61 && last <= 0x7a) || (last >= 0x30 && last <= 0x39)
  return !isPlainLetter && clauseEnd.test(text.slice(Math.max(start, at - 4), at))
}

function hasUnspaced(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i += 1) {
    const code = text.charCodeAt(i)
    // Below are the alphabets; between, the quotes and dashes that they use too.
    if (code >= 0xe00 && (code < 0x2000 || code > 0x206f)) return isUnspaced(text.slice(start, end))
  }
  return false
}

/** Best place to cut a sentence that is longer than `maxChars`: a clause, a space, a word, a whole character. */
export function cutAtLimit(text: string, start: number, maxChars: number): number {
  const limit = start + maxChars
  let clause = -1
  let other = -1
  findBreakPlace(
    text,
    start,
    Math.min(text.length, limit + 1),
    ({ at }) => at <= limit && at - start >= maxChars / 4,
    ({ at, isClause }) => {
      if (isClause && at - start >= maxChars / 2) clause = at
      other = at
      return false
    },
  )
  if (clause > 0) return clause
  if (other > 0) return other
  for (let i = limit; i > start + maxChars / 4; i -= 1) if (isSpace(text.charCodeAt(i))) return i
  let grapheme = -1
  for (const { index } of graphemeSegmenter.segment(text.slice(start, limit + 2))) {
    if (index <= maxChars) grapheme = start + index
  }
  if (grapheme > start) return grapheme
  const last = text.charCodeAt(limit - 1)
  return last >= 0xd800 && last <= 0xdbff && maxChars > 1 ? limit - 1 : limit
}

/** Two neighbours of Unicode's word segmentation with a pause possible between them. */
function isBreakable(before: string, after: string): boolean {
  const last = before.charCodeAt(before.length - 1)
  if (isSpace(last)) return false
  if (isBreakingSpace(after.charCodeAt(0))) return true
  if (!isSpoken(after)) return false
  return wideClauseEnd.test(before) || (isSpoken(before) && (isUnspaced(before) || isUnspaced(after)))
}

/** False after an abbreviation or an initial, and between two groups of digits. */
function isDivisible(text: string, start: number, at: number, end: number): boolean {
  const token = /\S*$/.exec(text.slice(Math.max(start, at - 40), at))?.[0] ?? ''
  if (token.endsWith('.')) {
    const word = /[\p{L}\p{M}\p{N}.'’-]*$/u.exec(token.slice(0, -1))?.[0] ?? ''
    if (abbreviationOf(word) !== 'none' || /^\p{Nd}+$/u.test(word)) return false
  }
  if (!/[\p{Nd}\p{Sc}]$/u.test(token)) return true
  return !/^\s*\p{Nd}/u.test(text.slice(at, Math.min(end, at + 4)))
}
