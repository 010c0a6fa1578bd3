import type { Readable } from 'node:stream'
import { cwd, env, stderr, stdin, stdout } from 'node:process'
import type { Environment } from '../config/read-environment.ts'
import { plain, plainJson, plainLine } from './plain.ts'

/** A stream to write to, which may be a terminal. */
export interface TextStream {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

/** What waits for its other half: a line break of two characters, a character of two. */
const unfinished = /[\r\uD800-\uDBFF]$/

/**
 * The one way to a stream. Whatever is printed is made plain first, since models, servers, files and people wrote parts
 * of it; the escape sequences that reach a terminal are those written here.
 */
export class Printer {
  readonly #stream: TextStream
  #held = ''

  constructor(stream: TextStream) {
    this.#stream = stream
  }

  get isTTY(): boolean {
    return this.#stream.isTTY === true
  }

  get columns(): number {
    return this.#stream.columns ?? 80
  }

  /** Text as it comes, in pieces of any length. Line breaks and tabs stay. */
  write(text: string): void {
    const known = this.#held + text
    this.#held = unfinished.exec(known)?.[0] ?? ''
    const ready = plain(known.slice(0, known.length - this.#held.length))
    if (ready !== '') this.#stream.write(ready)
  }

  /** Each on a line of its own; a line break within one becomes a space. */
  lines(...texts: readonly string[]): void {
    this.write(texts.map((text) => `${plainLine(text)}\n`).join(''))
  }

  /** A value as JSON, which may take several lines with `indent`. */
  json(value: unknown, indent?: number): void {
    this.write(`${plainJson(value, indent)}\n`)
  }

  /** At a terminal: draws over the line that the cursor is on. */
  redraw(text: string): void {
    this.#stream.write(`\r${plainLine(text)}\u001B[K`)
  }
}

/** All of the world that a command touches, so that a test can stand in for it. */
export interface Terminal {
  input: Readable & { isTTY?: boolean }
  output: Printer
  errors: Printer
  environment: Environment
  folder: string
  /** Calls `run` at every Ctrl-C until the returned function is called. */
  onInterrupt(run: () => void): () => void
}

export function processTerminal(): Terminal {
  return {
    input: stdin,
    output: new Printer(stdout),
    errors: new Printer(stderr),
    environment: env,
    folder: cwd(),
    onInterrupt(run) {
      process.on('SIGINT', run)
      return () => process.off('SIGINT', run)
    },
  }
}
