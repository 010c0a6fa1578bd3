import { suggestion } from '../config/nearest.ts'
import { LlmError } from '../index.ts'
import { chat } from './chat.ts'
import type { Command, ExitCode } from './command.ts'
import { conversations } from './conversations.ts'
import { doctor } from './doctor.ts'
import { graph } from './graph.ts'
import { commandHelp, overview } from './help.ts'
import { model } from './model.ts'
import { readArguments, UsageError } from './read-arguments.ts'
import { scenario } from './scenario.ts'
import { start } from './start.ts'
import { print, type Terminal } from './terminal.ts'
import { version } from './version.ts'

export const commands: readonly Command[] = [start, chat, doctor, model, conversations, graph, scenario]

const helpFlag = { help: { meaning: 'print this' } }
/** Mistakes in what somebody wrote, told apart from what went wrong with it. */
const writtenWrongly: ReadonlySet<string> = new Set(['setting', 'file', 'address'])

/** Runs one command. Never rejects: what is wrong is one line on stderr, and the exit code. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(argv, terminal)
  } catch (error) {
    if (error instanceof UsageError) return fail(terminal, error.message, 2)
    if (error instanceof LlmError) {
      const isUsage = error.code === 'config' && writtenWrongly.has(error.fault ?? '')
      return fail(terminal, error.message, isUsage ? 2 : 1)
    }
    const what = error instanceof Error ? error.message : String(error)
    const hint = terminal.environment['COLLOQUY_DEBUG'] === undefined ? ' (COLLOQUY_DEBUG=1 shows where)' : ''
    if (hint === '' && error instanceof Error) print(terminal.errors, String(error.stack))
    return fail(terminal, `unexpected: ${what.split('\n')[0]}${hint}`, 1)
  }
}

async function dispatch([name, ...rest]: readonly string[], terminal: Terminal): Promise<ExitCode> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    print(terminal.output, overview(commands))
    return 0
  }
  if (name === '--version' || name === '-v') {
    print(terminal.output, version())
    return 0
  }
  const command = commands.find((one) => one.name === name)
  if (command === undefined) {
    const kind = name.startsWith('-') ? 'flag' : 'command'
    const near = suggestion(
      name,
      commands.map((one) => one.name),
    )
    throw new UsageError(`unknown ${kind} ${name}${near === '' ? '; see colloquy --help' : near}`)
  }
  const given = readArguments(command.name, rest, { ...command.flags, ...helpFlag })
  if (given.switches.has('help')) {
    print(terminal.output, commandHelp(command))
    return 0
  }
  return command.run(given, terminal)
}

function fail(terminal: Terminal, message: string, code: ExitCode): ExitCode {
  print(terminal.errors, `colloquy: ${message.replaceAll(/(?<!\s)\s*\n\s*/g, ' ')}`)
  return code
}
