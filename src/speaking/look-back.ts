import { isNewline, isSpace } from './characters.ts'

/** A bracket that is open for longer is taken for one that nobody closes. */
const longestLink = 200

/**
 * What stands before a place in a segment: it takes the text one character after the other and keeps the few positions
 * that questions are about, so that no question looks back over the text.
 */
export class LookBack {
  #openBracket = -1
  #closedBracket = -1
  #closedParenthesis = -1
  #newline = -1
  #firstInk = -1
  #firstWord = -1
  #openGuillemet = -1
  #closedGuillemet = -1
  #quotes: Map<number, number> | null = null

  /** The character at `i`; the ones before it came before. */
  take(text: string, i: number): void {
    const code = text.charCodeAt(i)
    if (code === 0x0a) {
      this.#newline = i
      this.#firstInk = -1
      this.#firstWord = -1
      return
    }
    if (this.#firstWord < 0 && !isSpace(code)) {
      if (this.#firstInk < 0) this.#firstInk = i
      if (!isLineMark(code)) this.#firstWord = i
    }
    // Small letters make up the most of a text.
    if (code > 0x60 && code < 0x7e) return
    // Behind an escape a bracket begins a control sequence.
    const isBracket = (code === 0x5b || code === 0x5d) && text.charCodeAt(i - 1) !== 0x1b
    if (isBracket && code === 0x5b) this.#openBracket = i
    else if (isBracket) this.#closedBracket = i
    else if (code === 0x29) this.#closedParenthesis = i
    else if (code === 0xab) this.#openGuillemet = i
    else {
      if (code === 0xbb) this.#closedGuillemet = i
      if (isQuote(code)) {
        this.#quotes ??= new Map()
        this.#quotes.set(code, (this.#quotes.get(code) ?? 0) + 1)
      }
    }
  }

  /** The words of a link may hold terminators, and its address white space; a link is not cut. `at` is what comes next. */
  isInsideLink(text: string, at: number): boolean {
    const open = this.#openBracket
    if (open < 0 || at - open > longestLink || this.#newline > open || isNewline(text.charCodeAt(at))) return false
    const close = this.#closedBracket
    if (close < open) return true
    return close + 1 < at && text[close + 1] === '(' && this.#closedParenthesis < close
  }

  /** A quote or a mark of emphasis was opened, and not closed before. */
  isQuoted(code: number): boolean {
    return (this.#quotes?.get(code) ?? 0) % 2 === 1
  }

  get isInsideGuillemets(): boolean {
    return this.#openGuillemet > this.#closedGuillemet
  }

  /** What begins at `word` is the first word on a line that began after the segment did. */
  isFirstOfLaterLine(word: number): boolean {
    return this.#newline >= 0 && this.isFirstOfLine(word)
  }

  /** Nothing but marks of lists, quotes and headings stands before `word` on its line. */
  isFirstOfLine(word: number): boolean {
    return this.#firstWord < 0 || this.#firstWord >= word
  }

  /** The line is a heading, or the row of a table. */
  isHeading(text: string): boolean {
    const first = text[this.#firstInk]
    return first === '#' || first === '|'
  }
}

/** `>`, `*`, `_`, `#`, `-` */
const isLineMark = (code: number): boolean =>
  code === 0x3e || code === 0x2a || code === 0x5f || code === 0x23 || code === 0x2d

/** `*`, `_`, `~`, backtick, straight quotes, `»`, `”`, `’` */
const isQuote = (code: number): boolean =>
  code === 0x2a ||
  code === 0x5f ||
  code === 0x7e ||
  code === 0x60 ||
  code === 0x22 ||
  code === 0x27 ||
  code === 0xbb ||
  code === 0x201d ||
  code === 0x2019
