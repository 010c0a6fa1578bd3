import { abbreviationOf, isStarter } from './abbreviations.ts'
import {
  characterAt,
  isClosing,
  isCutCharacter,
  isDigit,
  isLowerCase,
  isNewline,
  isSpace,
  isUnspaced,
  isUpperCase,
  terminatorLength,
} from './characters.ts'
import { LookAhead, type Follower } from './look-ahead.ts'
import { LookBack } from './look-back.ts'

/** The text of which sentences are found: it begins with the first character of a segment. */
export interface Stretch {
  text: string
  /** How far may be looked. */
  end: number
  /** The text is over at `end`. */
  isOver: boolean
  /** The segment begins at the beginning of a line. */
  startsLine: boolean
}

/** A place where a sentence may end, and how far it was read. */
interface Candidate {
  /** The terminator, or the end of a line. */
  at: number
  /** End of the run of terminators; -1 while another may come. */
  runEnd: number
  /** End of what closes the sentence, as far as it was read. */
  closedEnd: number
  isClosed: boolean
}

type Verdict = 'wait' | 'end' | 'none'

const attached = /[*_~`"'«»“”‘’]/u
const openingQuote = /[“‘«]/u
const ordinalLanguages = /^(?:de|da|nb|nn|no|fi|cs|sk|hu|hr|sl|et|lv|tr|is)\b/i
const wordCharacter = /[\p{L}\p{M}\p{N}.'’-]/u
const nameCharacter = /[\p{L}\p{M}'’]/u
/** No abbreviation is longer, and no word that sentences are known to begin with. */
const longestWord = 40

/**
 * Finds where sentences end. It is certain only when the next sentence has begun, that is when something that can be said
 * follows: `etc. (` looks finished until `and` arrives. What it finds never changes when more text comes. It goes
 * through the text once: how far it has read, it remembers.
 */
export class SentenceEnds {
  readonly #language: string
  readonly #isGreek: boolean
  #before = new LookBack()
  #next: LookAhead | null = null
  #candidate: Candidate | null = null
  /** What stands before was looked at: by `#before`, and for candidates. */
  #taken = 0
  #searched = 0

  constructor(language: string) {
    this.#language = language
    this.#isGreek = language.startsWith('el')
  }

  /** Where the first sentence ends, or -1 while that is not known. */
  find(stretch: Stretch): number {
    for (;;) {
      this.#candidate ??= this.#search(stretch)
      if (this.#candidate === null) return -1
      const follower = this.#follower(this.#candidate, stretch)
      if (follower === null) {
        if (!stretch.isOver) return -1
        this.#skip(stretch.end)
        continue
      }
      switch (this.#judge(this.#candidate, follower, stretch)) {
        case 'end':
          return follower.boundary
        case 'wait':
          return -1
        case 'none':
          this.#skip(Math.max(this.#candidate.runEnd, this.#candidate.at + 1))
      }
    }
  }

  /** A segment was cut off: what was at `by` is the beginning now. */
  cut(by: number): void {
    this.#before = new LookBack()
    this.#candidate = null
    this.#taken = 0
    this.#searched = 0
    this.#next?.shift(by)
  }

  #skip(to: number): void {
    this.#candidate = null
    this.#searched = to
  }

  #search({ text, end }: Stretch): Candidate | null {
    for (let i = this.#taken; i < end; i += 1) {
      const code = text.charCodeAt(i)
      if (i >= this.#searched && (code < 0x40 || code >= 0x85)) {
        // Half a character is looked at when it is whole.
        if (isCutCharacter(text, i, end)) break
        // Nothing ends at the first character: NEL begins segments, since no `trim` takes it away.
        if ((isNewline(code) && i > 0) || terminatorLength(text, i) > 0 || (this.#isGreek && code === 0x3b)) {
          return { at: i, runEnd: -1, closedEnd: i, isClosed: false }
        }
      }
      this.#before.take(text, i)
      this.#taken = i + 1
    }
    return null
  }

  /** What follows the candidate; null while that is not known. */
  #follower(candidate: Candidate, { text, end }: Stretch): Follower | null {
    if (!this.#readMarks(candidate, text, end)) return null
    const from = candidate.closedEnd
    if (this.#next?.covers(from) !== true) this.#next = new LookAhead(from)
    return this.#next.read(text, end) ? this.#next.follower(text, from) : null
  }

  /** Reads the run of terminators and what closes the sentence. True once something else has come. */
  #readMarks(candidate: Candidate, text: string, end: number): boolean {
    const isGreekMark = text.charCodeAt(candidate.at) === 0x3b
    while (!candidate.isClosed) {
      const i = candidate.closedEnd
      if (i >= end || isCutCharacter(text, i, end)) return false
      const length = isGreekMark && text.charCodeAt(i) === 0x3b ? 1 : terminatorLength(text, i)
      if (candidate.runEnd < 0 && length > 0) {
        candidate.closedEnd += length
        continue
      }
      if (candidate.runEnd < 0) candidate.runEnd = i
      if (this.#closesSentence(text, candidate.at, i)) {
        candidate.closedEnd += characterAt(text, i).length
        continue
      }
      // `« Oui. »`: French puts a space before the mark that closes.
      const mayClose = isSpace(text.charCodeAt(i)) && this.#before.isInsideGuillemets
      if (mayClose && i + 1 >= end) return false
      if (mayClose && text[i + 1] === '»') candidate.closedEnd += 2
      candidate.isClosed = true
    }
    return true
  }

  /** Quotes, brackets and emphasis that close the sentence belong to it. */
  #closesSentence(text: string, at: number, i: number): boolean {
    const character = characterAt(text, i)
    if (isClosing(character)) return true
    if (!attached.test(character)) return false
    // After an ASCII terminator nothing ends without white space, so what is attached closes. `你好。**我们**` opens.
    if (isAsciiMark(text[at] ?? '')) return true
    return !openingQuote.test(character) && this.#before.isQuoted(character.charCodeAt(0))
  }

  #judge({ at, runEnd, closedEnd }: Candidate, follower: Follower, stretch: Stretch): Verdict {
    const { text } = stretch
    if (this.#before.isInsideLink(text, at)) return 'none'
    const mark = text[at] ?? ''
    const closed = text.slice(runEnd, closedEnd)
    const next = characterAt(text, follower.at)
    const goesOn = isLowerCase(next) && !follower.isOpened
    if (!isAsciiMark(mark) && !isNewline(mark.charCodeAt(0))) {
      if (/^[」』”]/u.test(closed) && /[とっ]/u.test(next)) return 'none'
      if (mark === '．' && isDigit(next)) return 'none'
      return goesOn && closed !== '' ? 'none' : 'end'
    }
    if (mark === '!' || mark === '?') {
      if (follower.isApart) return goesOn && !follower.isNewLine && /["'”’»]/u.test(closed) ? 'none' : 'end'
      return isUnspaced(next) && isUnspaced(text.slice(Math.max(0, at - 1), at)) ? 'end' : 'none'
    }
    if (follower.isNewLine) return goesOn && !follower.isBlock && !this.#before.isHeading(text) ? 'none' : 'end'
    if (!follower.isApart || goesOn) return 'none'
    if (mark !== '.' || runEnd - at > 1) return 'end'
    return this.#judgeFullStop(stretch, at, follower.at)
  }

  /** A single full stop before white space and something that is not a small letter. */
  #judgeFullStop(stretch: Stretch, at: number, next: number): Verdict {
    const { text, startsLine } = stretch
    const word = wordBefore(text, at)
    if (/^\p{Nd}{1,3}$/u.test(word)) {
      // `1. Milk`: the number of a list
      const number = at - word.length
      if (startsLine ? this.#before.isFirstOfLine(number) : this.#before.isFirstOfLaterLine(number)) return 'none'
      // `am 5. Mai`
      if (word.length < 3 && ordinalLanguages.test(this.#language)) return this.#judgeByNextWord(stretch, next)
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
        return isDigit(characterAt(text, next)) ? 'none' : 'end'
      case 'either':
        return this.#judgeByNextWord(stretch, next)
    }
  }

  #judgeByNextWord({ text, end, isOver }: Stretch, next: number): Verdict {
    const first = characterAt(text, next)
    if (!isUpperCase(first)) return /\p{Lo}/u.test(first) ? 'end' : 'none'
    let wordEnd = next
    while (wordEnd < end && wordEnd - next < longestWord && nameCharacter.test(characterAt(text, wordEnd)))
      wordEnd += characterAt(text, wordEnd).length
    if ((wordEnd >= end || isCutCharacter(text, wordEnd, end)) && !isOver) return 'wait'
    const isInitial = wordEnd - next === 1 && text[wordEnd] === '.'
    return !isInitial && isStarter(text.slice(next, wordEnd), this.#language) ? 'end' : 'none'
  }
}

const isAsciiMark = (mark: string): boolean => mark < '\u0080' || mark === '…'

/** The word that ends before `at`, without what opens it: so much of it as an abbreviation may be long. */
export function wordBefore(text: string, at: number): string {
  let start = at
  while (start > 0 && at - start < longestWord && wordCharacter.test(text[start - 1] ?? '')) start -= 1
  return text.slice(start, at).replace(/^['’.-]+/, '')
}
