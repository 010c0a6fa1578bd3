import type { Token } from './llama-api.ts'

/** Enough for the longest UTF-8 character and for what a detokenizer looks back at. */
const lookBack = 8

/**
 * Turns tokens into text as they come. A character that is spread over several tokens comes whole with its last one;
 * bytes that never become a character are given up after four tokens.
 */
export class TokenText {
  readonly #detokenize: (tokens: Token[], lastTokens: Token[]) => string
  #last: Token[] = []
  #pending: Token[] = []

  constructor(detokenize: (tokens: Token[], lastTokens: Token[]) => string) {
    this.#detokenize = detokenize
  }

  push(token: Token): string {
    this.#pending.push(token)
    const text = this.#detokenize(this.#pending, this.#last)
    if (text.endsWith('\uFFFD') && this.#pending.length < 4) return ''
    this.#last = [...this.#last, ...this.#pending].slice(-lookBack)
    this.#pending = []
    return text
  }
}
