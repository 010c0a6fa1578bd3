import { resolve } from 'node:path'
import { suggestion } from '../config/nearest.ts'
import { LlmError } from '../index.ts'
import { cacheFolder } from '../provision/cache-folder.ts'
import { listModels, verifyModels, type ListedModel, type VerifiedModel } from '../provision/list-models.ts'
import {
  defaultModelName,
  findCatalogueModel,
  modelCatalogue,
  type CatalogueModel,
} from '../provision/model-catalogue.ts'
import { jsonFlag, type Command, type ExitCode } from './command.ts'
import { provision } from './open-embedded.ts'
import { UsageError } from './read-arguments.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const verbs = ['pull', 'list', 'verify']

export const model: Command = {
  name: 'model',
  usage: 'pull [NAME] [--force] | list | verify [NAME] [--json]',
  summary: `Fetches the embedded engine and a model (${defaultModelName} unless named), lists, verifies what there is`,
  flags: { force: { meaning: 'pull: fetch the model although it is there' }, ...jsonFlag },
  async run({ words: [verb, name, extra], switches }, terminal) {
    if (verb === undefined) throw new UsageError(`say what to do: colloquy model ${model.usage}`)
    if (!verbs.includes(verb)) {
      const near = suggestion(verb, verbs)
      throw new UsageError(`unknown word ${verb}${near === '' ? `; there are model ${verbs.join(', model ')}` : near}`)
    }
    if (verb === 'list' && name !== undefined) throw new UsageError(`model list takes no name like ${name}`)
    if (extra !== undefined)
      throw new UsageError(`model ${verb} takes one model at a time, and ${extra} is a second one`)
    const isForced = switches.has('force')
    if (isForced && verb !== 'pull') throw new UsageError(`--force goes with model pull, not with model ${verb}`)
    const asJson = switches.has('json')
    if (verb === 'pull') return pull(known(name ?? defaultModelName), { terminal, asJson, isForced })
    const cacheDir = resolve(terminal.folder, cacheFolder(terminal.environment))
    if (verb === 'list') return list(cacheDir, terminal, asJson)
    return verify(name === undefined ? undefined : known(name), { cacheDir, terminal, asJson })
  },
}

function known(name: string): CatalogueModel {
  const found = findCatalogueModel(name)
  if (found !== undefined) return found
  const names = modelCatalogue.map((one) => one.name)
  const near = suggestion(name, names)
  throw new UsageError(`unknown model ${name}${near === '' ? `; there are ${names.join(', ')}` : near}`)
}

interface Pulling {
  terminal: Terminal
  asJson: boolean
  isForced: boolean
}

async function pull({ name }: CatalogueModel, { terminal, asJson, isForced }: Pulling): Promise<ExitCode> {
  const leaving = new AbortController()
  const stopListening = terminal.onInterrupt(() =>
    leaving.abort(new LlmError('config', { message: 'stopped by Ctrl-C' })),
  )
  try {
    const how = isForced ? ('anew' as const) : ('where-changed' as const)
    const { engineDir, model: installed } = await provision(name, { terminal, signal: leaving.signal, pull: how })
    if (asJson) terminal.output.json({ ...installed, engine: engineDir })
    else terminal.output.lines(`${installed.name} is ready: ${installed.path}`)
    return 0
  } finally {
    stopListening()
  }
}

async function list(cacheDir: string, { output }: Terminal, asJson: boolean): Promise<ExitCode> {
  const models = await listModels({ cacheDir })
  if (asJson) output.json(models.map(shown), 2)
  else output.lines(...table([['model', 'file', 'memory', 'licence', ''], ...models.map(row)]))
  return 0
}

interface Verifying {
  cacheDir: string
  terminal: Terminal
  asJson: boolean
}

/** Those that are there; one that was named must be. Rejects with what to do where one is not as published. */
async function verify(
  named: CatalogueModel | undefined,
  { cacheDir, terminal: { output }, asJson }: Verifying,
): Promise<ExitCode> {
  const all = await verifyModels(named === undefined ? modelCatalogue : [named], cacheDir)
  const models = named === undefined ? all.filter(({ state }) => state !== 'missing') : all
  if (asJson) output.json(models, 2)
  else if (models.length > 0) output.lines(...table(models.map(({ name, state, path }) => [name, state, path])))
  const [bad] = models.filter(({ state }) => state !== 'verified')
  if (bad !== undefined) throw new LlmError('config', { message: whatToDo(bad) })
  if (models.length > 0) return 0
  throw new LlmError('model-missing', { message: 'no model is here to verify; run: colloquy model pull' })
}

function whatToDo({ name, path, state }: VerifiedModel): string {
  const what =
    state === 'missing' ? `${name} is not here` : `${path} has other bytes than the ${name} that was published`
  return `${what}; run: colloquy model pull ${name}`
}

function shown({ name, sizeBytes, licence, memoryBytes, installed, fits, path }: ListedModel) {
  return { name, sizeBytes, licence, memoryBytes, installed, fits, path }
}

function row({ name, sizeBytes, licence, memoryBytes, installed, fits }: ListedModel): string[] {
  const state = installed ? 'here' : fits ? 'can be pulled' : 'too large for this machine'
  return [name, `${Math.round(sizeBytes / 1e6)} MB`, `${(memoryBytes / 1e9).toFixed(1)} GB`, licence, state]
}
