import { LlmError } from '../index.ts'
import { resolve } from 'node:path'
import { suggestion } from '../config/nearest.ts'
import { cacheFolder } from '../provision/cache-folder.ts'
import { listModels, type ListedModel } from '../provision/list-models.ts'
import { defaultModelName, findCatalogueModel, modelCatalogue } from '../provision/model-catalogue.ts'
import { jsonFlag, type Command, type ExitCode } from './command.ts'
import { provision } from './open-embedded.ts'
import { UsageError } from './read-arguments.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const verbs = ['pull', 'list']

export const model: Command = {
  name: 'model',
  usage: 'pull [NAME] | list [--json]',
  summary: `Fetches the embedded engine and a model (${defaultModelName} unless named), or lists what there is`,
  flags: jsonFlag,
  async run({ words: [verb, name, extra], switches }, terminal) {
    if (verb === undefined) throw new UsageError('say what to do: colloquy model pull [NAME], or colloquy model list')
    if (!verbs.includes(verb)) {
      const near = suggestion(verb, verbs)
      throw new UsageError(`unknown word ${verb}${near === '' ? '; there are model pull and model list' : near}`)
    }
    if (verb === 'list' && name !== undefined) throw new UsageError(`model list takes no name like ${name}`)
    if (extra !== undefined)
      throw new UsageError(`model pull fetches one model at a time, and ${extra} is a second one`)
    return verb === 'list' ? list(terminal, switches.has('json')) : pull(name, terminal, switches.has('json'))
  },
}

async function pull(name = defaultModelName, terminal: Terminal, asJson: boolean): Promise<ExitCode> {
  if (findCatalogueModel(name) === undefined) {
    const known = modelCatalogue.map((one) => one.name)
    const near = suggestion(name, known)
    throw new UsageError(`unknown model ${name}${near === '' ? `; there are ${known.join(', ')}` : near}`)
  }
  const leaving = new AbortController()
  const stopListening = terminal.onInterrupt(() =>
    leaving.abort(new LlmError('config', { message: 'stopped by Ctrl-C' })),
  )
  try {
    const { engineDir, model: installed } = await provision(name, terminal, leaving.signal)
    const told = { ...installed, engine: engineDir }
    if (asJson) terminal.output.json(told)
    else terminal.output.lines(`${installed.name} is ready: ${installed.path}`)
    return 0
  } finally {
    stopListening()
  }
}

async function list(terminal: Terminal, asJson: boolean): Promise<ExitCode> {
  const cacheDir = resolve(terminal.folder, cacheFolder(terminal.environment))
  const models = await listModels({ cacheDir })
  if (asJson) terminal.output.json(models.map(shown), 2)
  else terminal.output.lines(...table([['model', 'file', 'memory', 'licence', ''], ...models.map(row)]))
  return 0
}

function shown({ name, sizeBytes, licence, memoryBytes, installed, fits, path }: ListedModel) {
  return { name, sizeBytes, licence, memoryBytes, installed, fits, path }
}

function row({ name, sizeBytes, licence, memoryBytes, installed, fits }: ListedModel): string[] {
  const state = installed ? 'here' : fits ? 'can be pulled' : 'too large for this machine'
  return [name, `${Math.round(sizeBytes / 1e6)} MB`, `${(memoryBytes / 1e9).toFixed(1)} GB`, licence, state]
}
