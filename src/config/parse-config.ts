import type { z } from 'zod'
import { LlmError } from '../backends/contract.ts'
import { Config, type Settings } from './config.ts'
import { allowedAt, keysAt } from './list-settings.ts'
import { suggestion } from './nearest.ts'

/**
 * Checks settings against the schema and fills in the defaults. Throws `config` with one line that names the first
 * key that is wrong and what it may be; a value is never shown, since it may be a secret.
 *
 *     parseConfig({ endpointing: { minDelayMs: -1 } })
 *     // LlmError: endpointing.minDelayMs must be a whole number from 0 to 5000
 *
 * `source` says where the settings were written; it is put in front of the message.
 */
export function parseConfig(input: unknown, source?: string): Settings {
  const parsed = Config.safeParse(input)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const what = issue === undefined ? 'the configuration is not valid' : inOneLine(issue)
  throw new LlmError('config', { message: source === undefined ? what : `${source}: ${what}`, fault: 'setting' })
}

function inOneLine(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys
    const known = keysAt(issue.path)
    const near = suggestion(key, known)
    return `unknown key ${written([...issue.path, key])}${near === '' ? `; known here: ${known.join(', ')}` : near}`
  }
  if (issue.path.length === 0) return 'the configuration must be an object of settings'
  return `${written(issue.path)} must be ${allowedAt(issue.path) ?? 'something else'}`
}

/** ['fallback', 'models', 1] -> fallback.models[1] */
function written(path: readonly PropertyKey[]): string {
  return path.map((key, at) => (typeof key === 'number' ? `[${key}]` : `${at > 0 ? '.' : ''}${String(key)}`)).join('')
}
