import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { LlmError } from '../backends/contract.ts'
import type { ConfigInput, Settings } from './config.ts'
import { parseConfig } from './parse-config.ts'
import { isTree, mergeTrees, readEnvironment, type Environment, type SettingsTree } from './read-environment.ts'

/** The file that is looked for in the working folder. */
export const configFileName = 'colloquy.json'

export interface ConfigSources {
  /** Said in code or on the command line: wins over everything. */
  code?: ConfigInput
  /** COLLOQUY_* variables: win over the file. */
  environment?: Environment
  /** A file that must be there. Without it `colloquy.json` in `folder` is read if it is there. */
  file?: string
  folder?: string
}

/**
 * The settings of all sources, checked, with every default applied: code over COLLOQUY_* variables over the file.
 * Rejects with `config`: one line that names the source, the key and what is allowed.
 */
export async function loadConfig({
  code = {},
  environment = {},
  file,
  folder = '.',
}: ConfigSources): Promise<Settings> {
  const path = file ?? environment['COLLOQUY_CONFIG']
  const fromFile = await readConfigFile(resolve(folder, path ?? configFileName), path !== undefined)
  parseConfig(fromFile, path ?? configFileName)
  const fromCode: SettingsTree = { ...code }
  parseConfig(fromCode)
  return parseConfig(mergeTrees(mergeTrees(fromFile, readEnvironment(environment)), fromCode))
}

async function readConfigFile(path: string, isWanted: boolean): Promise<SettingsTree> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    if (code === 'ENOENT' && !isWanted) return {}
    throw unreadable(code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`, path, error)
  }
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (error) {
    // V8's message quotes the text around the mistake, which may be the API key.
    throw unreadable(`it is not valid JSON${placeOf(error, text)}`, path)
  }
  if (!isTree(content)) throw unreadable('it must hold one JSON object', path)
  const { $schema: _, ...settings } = content
  return settings
}

function unreadable(why: string, path: string, cause?: unknown): LlmError {
  const message = `configuration file ${path}: ${why}; correct it or name another with --config`
  return new LlmError('config', { message, fault: 'file', ...(cause === undefined ? {} : { cause }) })
}

function placeOf(error: unknown, text: string): string {
  const at = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined
  return at === undefined ? '' : ` (line ${text.slice(0, Number(at)).split('\n').length})`
}
