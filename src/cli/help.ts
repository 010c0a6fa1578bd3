import { describeConfigPlainly } from '../config/describe-config.ts'
import { configFlags, type Command } from './command.ts'
import type { Flag } from './read-arguments.ts'

export function overview(commands: readonly Command[]): string[] {
  const rows = commands.map(({ name, usage, summary }): [string, string] => [
    `colloquy ${name} ${usage}`.trim(),
    summary,
  ])
  return [
    'colloquy: conversations with a language model, each one a statechart',
    '',
    ...columns(rows),
    '',
    'colloquy COMMAND --help tells the flags of one command. Exit codes: 0 fine, 1 failed, 2 wrong usage.',
    'Settings come from flags, COLLOQUY_* variables and colloquy.json: docs/configuration.md.',
  ]
}

export function commandHelp({ name, usage, summary, flags }: Command): string[] {
  const lines = [`colloquy ${name} ${usage}`.trim(), '', `${summary}.`, '', ...columns(Object.entries(flags).map(row))]
  if (!Object.keys(configFlags).every((flag) => flag in flags)) return lines
  const settings = describeConfigPlainly().split('\n')
  return [...lines, '', 'Settings, for colloquy.json or as COLLOQUY_* variables:', '', ...settings]
}

function row([name, { value, meaning }]: [string, Flag]): [string, string] {
  return [`--${name}${value === undefined ? '' : ` ${value}`}`, meaning]
}

function columns(rows: readonly [string, string][]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}
