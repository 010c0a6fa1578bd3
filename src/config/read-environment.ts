import { LlmError } from '../backends/contract.ts'
import { listSettings, type Setting } from './list-settings.ts'
import { suggestion } from './nearest.ts'
import { parseConfig } from './parse-config.ts'

export type Environment = Readonly<Record<string, string | undefined>>
/** Settings as somebody wrote them: a tree of sections, checked but without defaults. */
export type SettingsTree = { readonly [key: string]: unknown }

const prefix = 'COLLOQUY_'
/** Read elsewhere; no settings of a service. */
const others: readonly string[] = ['COLLOQUY_CONFIG', 'COLLOQUY_CACHE_DIR', 'COLLOQUY_DEBUG', 'COLLOQUY_ENGINE_ENTRY']

/**
 * The settings in COLLOQUY_* variables: `COLLOQUY_ENDPOINTING_MIN_DELAY_MS=300` is `endpointing.minDelayMs: 300`.
 * A list is written with commas, or as JSON. An empty variable counts as not set. Throws `config` naming the variable.
 */
export function readEnvironment(environment: Environment): SettingsTree {
  const settings = new Map(listSettings().map((setting) => [setting.variable, setting]))
  let tree: SettingsTree = {}
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(prefix) || others.includes(name) || value === undefined || value === '') continue
    const setting = settings.get(name)
    if (setting === undefined) {
      const near = suggestion(name, [...settings.keys(), ...others])
      const message = `unknown variable ${name}${near === '' ? '; docs/configuration.md lists them' : near}`
      throw new LlmError('config', { message, fault: 'setting' })
    }
    const written = planted(setting.path.split('.'), read(value, setting))
    parseConfig(written, name)
    tree = mergeTrees(tree, written)
  }
  return tree
}

/** Sections are joined key by key; anything else is taken from `over`. */
export function mergeTrees(under: SettingsTree, over: SettingsTree): SettingsTree {
  const merged: Record<string, unknown> = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    if (value !== undefined) merged[key] = isTree(below) && isTree(value) ? mergeTrees(below, value) : value
  }
  return merged
}

export function isTree(value: unknown): value is SettingsTree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function planted([key = '', ...rest]: string[], value: unknown): SettingsTree {
  return { [key]: rest.length === 0 ? value : planted(rest, value) }
}

/** What cannot be read as the type it should be stays a text: the schema then says what is allowed. */
function read(value: string, { types }: Setting): unknown {
  const text = value.trim()
  if (types.includes('boolean') && (text === 'true' || text === 'false')) return text === 'true'
  const isNumeric = types.includes('integer') || types.includes('number')
  if (isNumeric && text !== '' && Number.isFinite(Number(text))) return Number(text)
  if (types.includes('array')) return readList(text)
  return value
}

function readList(text: string): unknown {
  if (!text.startsWith('[')) return text.split(',').flatMap((item) => (item.trim() === '' ? [] : [item.trim()]))
  try {
    return JSON.parse(text)
  } catch {
    return text // not JSON: refused by the schema, which names the variable
  }
}
