import type { ConfigInput, Settings } from '../config/config.ts'
import { loadConfig } from '../config/load-config.ts'
import { parseConfig } from '../config/parse-config.ts'
import { UsageError, type Arguments } from './read-arguments.ts'
import type { Terminal } from './terminal.ts'

const defaultFallbacks = JSON.stringify(parseConfig({}).fallback.models)

/**
 * Settings for a command: flags over variables over the file. A model that was named is the one that answers: the
 * default fallbacks, which nobody wrote down, do not take its place.
 */
export async function readSettings({ texts }: Arguments, { environment, folder }: Terminal): Promise<Settings> {
  const file = texts.get('config')
  if (texts.get('api-type') === 'embedded' && texts.has('base-url'))
    throw new UsageError('--api-type embedded has no address: leave --base-url out, or choose another --api-type')
  const settings = await loadConfig({
    code: parsedFlags(texts),
    environment,
    folder,
    ...(file === undefined ? {} : { file }),
  })
  if (!texts.has('model') || JSON.stringify(settings.fallback.models) !== defaultFallbacks) return settings
  return { ...settings, fallback: { ...settings.fallback, models: [] } }
}

const flagOf = { baseUrl: 'base-url', defaultModel: 'model', apiKey: 'api-key', apiType: 'api-type' } as const

/** Checked one by one, so that a mistake names the flag and not the key behind it. */
function parsedFlags(texts: ReadonlyMap<string, string>): ConfigInput {
  let given: ConfigInput = {}
  for (const [key, flag] of Object.entries(flagOf)) {
    const value = texts.get(flag)
    if (value === undefined) continue
    const parsed = parseConfig({ [key]: value }, `--${flag}`)
    if (flag === 'base-url') given = { ...given, baseUrl: parsed.baseUrl }
    if (flag === 'model') given = { ...given, defaultModel: parsed.defaultModel }
    if (flag === 'api-key') given = { ...given, apiKey: parsed.apiKey }
    if (flag === 'api-type') given = { ...given, apiType: parsed.apiType }
  }
  return given
}
