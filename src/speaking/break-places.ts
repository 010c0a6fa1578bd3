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
 * Visits the places between `start` and `end` where a segment may be cut inside a sentence, first to last, until `visit`
 * says true; returns the place it said so of. Never inside a number, an abbreviation, an initial, a URL or a link.
 */
export function findBreakPlace(
  text: string,
  start: number,
  end: number,
  visit: (place: BreakPlace) => boolean,
): number {
  const stretch = text.slice(start, end)
  let words = 0
  let isWord = false
  const visited = (at: number, isClause: boolean): boolean =>
    at > start && !isInsideLink(text, start, at) && visit({ at, isClause, words })

  if (!isUnspaced(stretch)) {
    for (let i = start; i < end; i += 1) {
      const code = text.charCodeAt(i)
      if (!isSpace(code)) {
        isWord ||= (code >= 0x30 && code <= 0x39) || code >= 0x41
        if (code === 0x2014 && i + 1 < end && /\p{L}/u.test(text[i + 1] ?? '') && visited(i + 1, true)) return i + 1
        continue
      }
      if (isWord) words += 1
      isWord = false
      if (isBreakingSpace(code) && i > start && !isSpace(text.charCodeAt(i - 1)) && isDivisible(text, start, i, end)) {
        if (visited(i, clauseEnd.test(text.slice(Math.max(start, i - 4), i)))) return i
      }
    }
    return -1
  }
  let before = ''
  for (const { segment, index, isWordLike } of wordSegmenter.segment(stretch)) {
    const at = start + index
    if (before !== '' && isBreakable(before, segment) && isDivisible(text, start, at, end)) {
      const tail = text.slice(Math.max(start, at - 4), at)
      const isThaiPause = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]$/u.test(before) && isSpace(segment.charCodeAt(0))
      const isClause =
        wideClauseEnd.test(tail) || (isSpace(segment.charCodeAt(0)) && clauseEnd.test(tail)) || isThaiPause
      if (visited(at, isClause)) return at
    }
    if (isWordLike === true) words += 1
    before = segment
  }
  return -1
}

/** Best place to cut a sentence that is longer than `maxChars`: a clause, a space, a word, a whole character. */
export function cutAtLimit(text: string, start: number, maxChars: number): number {
  const limit = start + maxChars
  let clause = -1
  let other = -1
  findBreakPlace(text, start, Math.min(text.length, limit + 1), ({ at, isClause }) => {
    if (at > limit) return true
    if (isClause && at - start >= maxChars / 2) clause = at
    if (at - start >= maxChars / 4) other = at
    return false
  })
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
