import type { TurnOutcome } from '../index.ts'
import type { ExitCode } from './command.ts'
import type { Terminal } from './terminal.ts'

/** What a turn that has ended leaves to be said: its JSON, or its error. */
export function reportOutcome(outcome: TurnOutcome, { output, errors }: Terminal, asJson: boolean): ExitCode {
  const { ending, error } = outcome
  if (asJson) output.json(outcome)
  if (ending === 'failed') errors.lines(`colloquy: ${error?.message ?? 'the turn failed without saying why'}`)
  return ending === 'finished' ? 0 : 1
}
