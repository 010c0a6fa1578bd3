import { parseArgs } from 'node:util'
import { suggestion } from '../config/nearest.ts'

/** Wrong usage: one line, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export interface Flag {
  /** What stands for its value in the help; a flag without one is on or off. */
  value?: string
  meaning: string
}

/** A command line, read: flags without their dashes. */
export interface Arguments {
  words: string[]
  texts: ReadonlyMap<string, string>
  switches: ReadonlySet<string>
}

/** Reads flags strictly: an unknown one is refused with the nearest that exists. Throws UsageError. */
export function readArguments(
  command: string,
  argv: readonly string[],
  flags: Readonly<Record<string, Flag>>,
): Arguments {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { value }]) => [
      name,
      { type: value === undefined ? 'boolean' : 'string' } as const,
    ]),
  )
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true })
  const words: string[] = []
  const texts = new Map<string, string>()
  const switches = new Set<string>()
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
    if (flag === undefined) throw unknownFlag(command, rawName, Object.keys(flags))
    if (flag.value === undefined && value !== undefined) throw new UsageError(`${rawName} takes no value`)
    if (flag.value === undefined) switches.add(name)
    else if (value === undefined || value === '' || (inlineValue !== true && value.startsWith('--'))) {
      throw new UsageError(`${rawName} needs a value: ${rawName} ${flag.value}`)
    } else texts.set(name, value)
  }
  return { words, texts, switches }
}

function unknownFlag(command: string, rawName: string, known: readonly string[]): UsageError {
  const near = suggestion(
    rawName,
    known.map((name) => `--${name}`),
  )
  return new UsageError(`unknown flag ${rawName}${near === '' ? `; see colloquy ${command} --help` : near}`)
}
