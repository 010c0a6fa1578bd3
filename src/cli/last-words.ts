import type { EventEmitter } from 'node:events'
import type { Terminal } from './terminal.ts'

type Complaining = Pick<Terminal, 'errors' | 'environment'>

/** An error that nobody expected: in a line, with the way to learn more. */
export function complainOf(error: unknown, { errors, environment }: Complaining): void {
  const isDebugging = environment['COLLOQUY_DEBUG'] !== undefined
  if (isDebugging && error instanceof Error) errors.lines(...String(error.stack).split('\n'))
  const [what = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
  errors.lines(`colloquy: unexpected: ${what}${isDebugging ? '' : ' (COLLOQUY_DEBUG=1 shows where)'}`)
}

/**
 * What Node itself would print of a process, raw: warnings, and the error that ends it. Both may quote what a server, a
 * file or a person wrote, so they go through the terminal like everything else.
 */
export function printLastWords(process: EventEmitter & { exit(code: number): unknown }, terminal: Complaining): void {
  // Nobody listens where warnings are switched off (NODE_NO_WARNINGS).
  if (process.listenerCount('warning') > 0) {
    process.removeAllListeners('warning')
    process.on('warning', ({ name, message }: Error) => terminal.errors.lines(`${name}: ${message}`))
  }
  process.on('uncaughtException', (error: unknown) => {
    complainOf(error, terminal)
    process.exit(1)
  })
}
