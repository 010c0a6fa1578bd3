import { demand, hasMethods } from './check.ts'
import { isolate } from './isolate.ts'
import { wordsOf } from './report.ts'

/**
 * Where colloquy writes what it did. pino fits. No transcript and no secret is ever passed. What a method returns is
 * ignored; a promise that rejects is a warning of the process.
 */
export interface Logger {
  debug(facts: object, message: string): unknown
  info(facts: object, message: string): unknown
  warn(facts: object, message: string): unknown
  error(facts: object, message: string): unknown
}

const levels = ['debug', 'info', 'warn', 'error'] as const

/** A logger that fails must end nothing: what it was to write goes on. A level that it lacks is left out. */
export function guardLogger(given: Logger): Logger {
  const isLogger = levels.some((level) => hasMethods(given, level))
  demand(isLogger, 'logger must be an object with the methods debug, info, warn and error, such as pino()')
  const attempt = isolate((level, thrown) =>
    process.emitWarning(`the logger failed in ${level}`, { detail: wordsOf(thrown) }),
  )
  const write = (level: (typeof levels)[number]) => (facts: object, message: string) => {
    attempt(level, () => (hasMethods(given, level) ? given[level](facts, message) : undefined))
  }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}
