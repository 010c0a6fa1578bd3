import { abbreviationOf } from './abbreviations.ts'
import { isBreakingSpace, isCutCharacter, isSpace, isSpokenAt, isUnspacedAt } from './characters.ts'
import { LookBack } from './look-back.ts'
import { wordBefore } from './sentence-end.ts'

/** A place inside a sentence where a voice may pause; `words` is how many whole words stand before it. */
export interface BreakPlace {
  at: number
  isClause: boolean
  words: number
}

const wordSegmenter = new Intl.Segmenter('en', { granularity: 'word' })
const graphemeSegmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
const clauseEnd = /(?:[,;:،؛፣፤፥][\p{Pe}\p{Pf}"'*_~`]*|[—–])$/u
const wideClauseEnd = /[，、；：､][\p{Pe}\p{Pf}*_~`]*$/u
/** Scripts that put a space between clauses, and none between words. */
const spacedClauses = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]/
/** Goes with the letter before it: a mark, the sign of a long vowel, the second half of a character. */
const joinsRun = /[\p{M}\p{Lm}\udc00-\udfff]/u
/** A clause mark and what closes it. */
const markChars = 4
/** Unicode's words cost a microsecond each: they are asked for when so many characters have come. */
const wordsEvery = 4

/**
 * The places where a segment may be cut inside a sentence: at white space, behind a clause, and between the words of
 * scripts that put no space there; not inside a link. It goes on where it was when more text comes.
 */
export class BreakPlaces {
  readonly #before = new LookBack()
  #places: BreakPlace[] = []
  #i = 0
  #words = 0
  /** Something that counts as a word has stood since the last white space. */
  #isWord = false
  #lastSpoken = -1
  /** First word of a run without spaces whose end is not certain; -1 outside of such a run. */
  #openWord = -1
  #segmentedTo = 0
  #end = 0

  /** Reads on, to `end`. */
  read(text: string, end: number): void {
    this.#end = end
    for (let i = this.#i; i < end; i += 1) {
      if (isCutCharacter(text, i, end)) break
      this.#take(text, i)
      this.#before.take(text, i)
      this.#i = i + 1
    }
    if (this.#openWord >= 0 && this.#i - this.#segmentedTo >= wordsEvery) this.#findWords(text, this.#i)
  }

  /** The first place that is wanted, with something left to say behind it; else -1. */
  first(text: string, isWanted: (place: BreakPlace) => boolean): number {
    const indivisible = new Set<BreakPlace>()
    for (const place of this.#places) {
      if (place.at > this.#lastSpoken) break
      if (!isWanted(place)) continue
      if (isDivisible(text, place.at, this.#end)) return place.at
      indivisible.add(place)
    }
    if (indivisible.size > 0) this.#places = this.#places.filter((place) => !indivisible.has(place))
    return -1
  }

  /** The last place that is wanted; else -1. */
  last(text: string, isWanted: (place: BreakPlace) => boolean): number {
    return this.#places.findLast((place) => isWanted(place) && isDivisible(text, place.at, this.#end))?.at ?? -1
  }

  #take(text: string, i: number): void {
    const code = text.charCodeAt(i)
    if (isSpace(code)) {
      this.#closeRun(text, i)
      if (this.#isWord) this.#words += 1
      this.#isWord = false
      if (isBreakingSpace(code)) this.#add(text, i, endsClause(text, i))
      return
    }
    const isSaid = isSpokenAt(text, i)
    if (isSaid) this.#lastSpoken = i
    if (isUnspacedAt(text, i)) {
      if (this.#openWord < 0) this.#openRun(text, i)
      return
    }
    if (this.#openWord >= 0 && joinsRun.test(text[i] ?? '')) return
    if (this.#openWord >= 0) {
      this.#closeRun(text, i)
      if (isSaid) this.#add(text, i, false)
    } else if (isSaid) this.#addAfterMark(text, i)
    this.#isWord ||= (code >= 0x30 && code <= 0x39) || code >= 0x41
  }

  #openRun(text: string, i: number): void {
    if (this.#isWord) {
      this.#words += 1
      this.#isWord = false
    }
    this.#addAfterMark(text, i)
    this.#openWord = i
    this.#segmentedTo = i
  }

  #closeRun(text: string, end: number): void {
    if (this.#openWord < 0) return
    this.#findWords(text, end)
    this.#words += 1
    this.#openWord = -1
  }

  /** Places between the words of the run; the last word may go on. */
  #findWords(text: string, end: number): void {
    const from = this.#openWord
    this.#segmentedTo = end
    // One character is one word, and no question.
    if (end - from < 2) return
    for (const { index } of wordSegmenter.segment(text.slice(from, end))) {
      if (index === 0) continue
      this.#words += 1
      this.#openWord = from + index
      this.#add(text, this.#openWord, false)
    }
  }

  /** Where something is said right behind a clause, or next to a word of a script without spaces. */
  #addAfterMark(text: string, i: number): void {
    const last = text.charCodeAt(i - 1)
    if (last === 0x2014) {
      if (/\p{L}/u.test(text[i] ?? '')) this.#add(text, i, true)
    } else if (last > 0xff && wideClauseEnd.test(text.slice(Math.max(0, i - markChars), i))) this.#add(text, i, true)
    else if (isUnspacedAt(text, i) && i > 0 && isSpokenAt(text, i - 1)) this.#add(text, i, false)
  }

  #add(text: string, at: number, isClause: boolean): void {
    if (at > 0 && !this.#before.isInsideLink(text, at)) this.#places.push({ at, isClause, words: this.#words })
  }
}

function endsClause(text: string, at: number): boolean {
  const last = text.charCodeAt(at - 1)
  if ((last >= 0x61 && last <= 0x7a) || (last >= 0x30 && last <= 0x39)) return false
  const end = text.slice(Math.max(0, at - markChars), at)
  return clauseEnd.test(end) || wideClauseEnd.test(end) || spacedClauses.test(end.slice(-1))
}

/** Best place to cut a sentence that is longer than `maxChars`: a clause, a space, a word, a whole character. */
export function cutAtLimit(text: string, maxChars: number): number {
  const places = new BreakPlaces()
  places.read(text, Math.min(text.length, maxChars + 1))
  const clause = places.last(text, ({ at, isClause }) => isClause && at <= maxChars && at >= maxChars / 2)
  if (clause > 0) return clause
  const place = places.last(text, ({ at }) => at <= maxChars && at >= maxChars / 4)
  if (place > 0) return place
  for (let i = maxChars; i > maxChars / 4; i -= 1) if (isSpace(text.charCodeAt(i))) return i
  const character = graphemeSegmenter.segment(text.slice(0, maxChars + 2)).containing(maxChars)?.index ?? 0
  if (character > 0) return character
  const last = text.charCodeAt(maxChars - 1)
  return last >= 0xd800 && last <= 0xdbff && maxChars > 1 ? maxChars - 1 : maxChars
}

/** False after an abbreviation or an initial, and between two groups of digits. */
function isDivisible(text: string, at: number, end: number): boolean {
  const last = text[at - 1] ?? ''
  if (last === '.') {
    const word = wordBefore(text, at - 1)
    return abbreviationOf(word) === 'none' && !/^\p{Nd}+$/u.test(word)
  }
  return !/[\p{Nd}\p{Sc}]/u.test(last) || !/^\s*\p{Nd}/u.test(text.slice(at, Math.min(end, at + 4)))
}
