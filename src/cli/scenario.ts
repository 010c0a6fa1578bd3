import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { formatScenario, runScenario, type ScenarioResult } from '../testing/index.ts'
import { jsonFlag, type Command } from './command.ts'
import { UsageError } from './read-arguments.ts'

export const scenario: Command = {
  name: 'scenario',
  usage: 'FILE… [--json]',
  summary: 'Runs scenario files on virtual time and prints each timeline and verdict; exit 1 when one fails',
  flags: jsonFlag,
  async run({ words, switches }, { output, folder }) {
    if (words.length === 0) throw new UsageError('name at least one scenario file: colloquy scenario FILE…')
    const asJson = switches.has('json')
    const results: ScenarioResult[] = []
    for (const word of words) {
      const result = await runScenario(await readScenario(resolve(folder, word), word))
      results.push(result)
      if (asJson) output.json(result)
      else output.lines(...formatScenario(result).split('\n'), '')
    }
    const passed = results.filter((result) => result.passed).length
    if (!asJson) output.lines(`${passed} of ${results.length} passed`)
    return passed === results.length ? 0 : 1
  },
}

async function readScenario(path: string, shown: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`${shown} is not valid JSON: ${error.message}`)
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    throw new UsageError(`${shown} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : code}`)
  }
}
