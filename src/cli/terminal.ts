import type { Readable } from 'node:stream'
import { cwd, env, stderr, stdin, stdout } from 'node:process'
import type { Environment } from '../config/read-environment.ts'

/** A stream to write to, which may be a terminal. */
export interface Printer {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
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
    output: stdout,
    errors: stderr,
    environment: env,
    folder: cwd(),
    onInterrupt(run) {
      process.on('SIGINT', run)
      return () => process.off('SIGINT', run)
    },
  }
}

/** One line, whatever the text holds. */
export function print(printer: Printer, text: string): void {
  printer.write(`${text}\n`)
}
