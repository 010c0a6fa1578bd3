import { characterAt, isCutCharacter, isNewline, isPictograph, isSpace, isSpokenAt } from './characters.ts'
import { controlSequenceEnd } from './control-sequences.ts'

/** What comes after the end of a sentence, should it be one. */
export interface Follower {
  /** The first character that is said. */
  at: number
  /** End of the sentence: behind emoji that stand on its line. */
  boundary: number
  isApart: boolean
  isNewLine: boolean
  /** A blank line, a list item, a heading, a fence: never the same sentence wrapped. */
  isBlock: boolean
  /** `¿`, `¡` or a piece of code: a sentence begins, whatever the case of its first letter. */
  isOpened: boolean
}

const blockMark = /[-*+#>|•`~=–]/u
const opening = /[¿¡`]/
const tagStart = /[a-z/]/i

/**
 * A stretch of text of which nothing is said, up to the first character that is. It is read once, however many sentence
 * ends stand before it or in it, and however the text comes: of each thing that matters the last position is kept, so
 * that a question from any place in the stretch is a comparison.
 */
export class LookAhead {
  #from: number
  #i: number
  #isFound = false
  #isAtLineStart = false
  #apart = -1
  #newline = -1
  #newlineBefore = -1
  #block = -1
  #opened = -1

  constructor(from: number) {
    this.#from = from
    this.#i = from
  }

  /** The place lies in the stretch. */
  covers(place: number): boolean {
    return place >= this.#from && place <= this.#i
  }

  /** The text begins later by so much. */
  shift(by: number): void {
    this.#from -= by
    this.#i -= by
    this.#apart -= by
    this.#newline -= by
    this.#newlineBefore -= by
    this.#block -= by
    this.#opened -= by
  }

  /** Reads on, to `end` at most. True once it is known what is said next. */
  read(text: string, end: number): boolean {
    while (!this.#isFound && this.#i < end) {
      const next = this.#step(text, this.#i, end)
      if (next < 0) return false
      this.#i = next
    }
    return this.#isFound
  }

  /** What follows a sentence that ends before `from`. */
  follower(text: string, from: number): Follower {
    return {
      at: this.#i,
      boundary: this.#boundary(text, from),
      isApart: this.#apart >= from,
      isNewLine: this.#newline >= from,
      isBlock: this.#newlineBefore >= from || this.#block >= from,
      isOpened: this.#opened >= from,
    }
  }

  /** Where the character or the piece of markup at `i` ends; `i` where something is said; -1 while that is not known. */
  #step(text: string, i: number, end: number): number {
    const code = text.charCodeAt(i)
    if (isSpace(code) || isNewline(code)) {
      this.#apart = i
      if (isNewline(code)) this.#breakLine(text, i)
      return i + 1
    }
    if (isCutCharacter(text, i, end)) return -1
    if (isSpokenAt(text, i)) {
      this.#isFound = true
      return i
    }
    const markup = markupEnd(text, i, end)
    if (markup < 0) return markup
    const isFirst = this.#isAtLineStart
    this.#isAtLineStart = false
    if (markup > i) return markup
    const character = characterAt(text, i)
    if (isFirst && blockMark.test(character)) {
      this.#block = this.#newline
      const fence = fenceLineEnd(text, i, end)
      if (fence < 0) this.#isAtLineStart = true
      if (fence !== i) return fence
    }
    if (isPictograph(character)) this.#apart = i
    else if (opening.test(character)) this.#opened = i
    return i + character.length
  }

  #breakLine(text: string, i: number): void {
    // CRLF is one line break.
    if (text.charCodeAt(i) !== 0x0a || text[i - 1] !== '\r') this.#newlineBefore = this.#newline
    this.#newline = i
    this.#isAtLineStart = true
  }

  #boundary(text: string, from: number): number {
    let boundary = from
    let i = from
    while (i < this.#i) {
      const code = text.charCodeAt(i)
      if (isNewline(code)) break
      const markup = markupEnd(text, i, this.#i)
      if (markup > i) {
        i = markup
        continue
      }
      const character = characterAt(text, i)
      i += character.length
      if (isSpace(code)) continue
      if (!isPictograph(character)) break
      boundary = i
    }
    return boundary
  }
}

/** End of the control sequence or the tag at `i`, `i` where there is none, -1 while that is not known. */
function markupEnd(text: string, i: number, end: number): number {
  const code = text.charCodeAt(i)
  if (code === 0x1b || code === 0x9b) {
    const after = controlSequenceEnd(text, i)
    return after < end ? after : -1
  }
  if (code !== 0x3c) return i
  if (i + 1 >= end) return -1
  if (!tagStart.test(text[i + 1] ?? '')) return i
  for (let at = i + 2; at < end; at += 1) {
    if (text[at] === '>') return at + 1
    if (text[at] === '<' || text[at] === '\n') return i
  }
  return -1
}

/** End of the line of a fence: the word after it names a language and is not said. `i` where there is none, -1 as above. */
function fenceLineEnd(text: string, i: number, end: number): number {
  const mark = text[i]
  if (mark !== '`' && mark !== '~') return i
  let at = i
  while (at < end && text[at] === mark) at += 1
  if (at - i < 3 && at < end) return i
  while (at < end && text[at] !== '\n') at += 1
  return at < end ? at : -1
}
