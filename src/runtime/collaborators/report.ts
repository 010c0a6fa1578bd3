import type { Logger } from './logger.ts'

/** Writes down that a collaborator failed and that colloquy goes on. */
export type Report = (message: string, thrown: unknown, facts?: object) => void

/** Reports to the logger; without one, as a warning of the process, which Node prints. */
export function reportTo(logger: Logger | undefined): Report {
  return (message, thrown, facts = {}) => {
    const error = wordsOf(thrown)
    if (logger) void logger.warn({ ...facts, error }, message)
    else process.emitWarning(message, { detail: error })
  }
}

const longestWords = 1_000

/** One line of what was thrown. Anything can be thrown, also what throws when it is looked at. */
export function wordsOf(thrown: unknown): string {
  try {
    // Escaped, because a warning goes to the terminal as it is.
    return String(thrown).slice(0, longestWords).replaceAll(/\p{C}/gu, escaped)
  } catch {
    return 'something that cannot be written down'
  }
}

const escaped = (character: string) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
