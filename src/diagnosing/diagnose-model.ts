import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'
import { LlmError, type Backend, type ModelInfo } from '../backends/contract.ts'
import { sameModel } from '../backends/ollama/models.ts'
import type { Settings } from '../config/config.ts'
import { StepFailed, type Notebook } from './notebook.ts'

interface ModelDiagnosis {
  backend: Backend
  settings: Settings
  clock: Clock
  notebook: Notebook
  found(model: string): void
}

/** The second half of a diagnosis: what the backend would answer with, and whether it does. */
export async function diagnoseModel({ backend, settings, clock, notebook, found }: ModelDiagnosis): Promise<void> {
  const { timeouts } = settings
  const models = await notebook.attempt('models', 5 * timeouts.connectMs, (signal) => backend.models(signal))
  if (models.length === 0)
    throw new StepFailed({ name: 'models', ok: false, detail: 'It has no model.', next: pull(backend) })
  notebook.note(
    'models',
    `It has ${models.length}: ${models
      .map(({ name }) => name)
      .slice(0, 10)
      .join(', ')}.`,
  )

  const model = choose(models, settings)
  if (model === undefined) {
    const wanted = settings.defaultModel ?? 'a model that can chat'
    throw new StepFailed({
      name: 'model',
      ok: false,
      detail: `It does not have ${wanted}.`,
      next: pull(backend, settings.defaultModel),
    })
  }
  found(model.name)
  notebook.note('model', `${model.name} will answer.`)

  const told = await notebook.attempt('context', 5 * timeouts.connectMs, (signal) =>
    backend.describe(model.name, signal),
  )
  const info = { ...model, ...told }
  if (info.loaded === true) notebook.note('loaded', 'It is in memory.')
  else if (info.loaded === undefined) notebook.note('loaded', 'The server does not tell whether it is in memory.')
  else notebook.note('loaded', 'It is not in memory: the first reply waits for it.', { next: keepLoaded(backend) })
  notebook.note('context', windowOf(info, settings), windowAdvice(info, settings))
  notebook.note('parallelism', ...parallelism(backend, settings))

  const since = clock.now()
  const firstTokenMs = await notebook.attempt('first-token', timeouts.loadingMs, (signal) =>
    firstToken({ backend, settings, clock, model: model.name, since }, signal),
  )
  notebook.note('first-token', `The first token came after ${Math.round(firstTokenMs)} ms.`, {
    ms: firstTokenMs,
    ...(firstTokenMs > timeouts.firstTokenMs && info.loaded === true
      ? { next: `That is over timeouts.firstTokenMs (${timeouts.firstTokenMs}): use a smaller model, or raise it.` }
      : {}),
  })
}

/** As the reply chooses: the default model, else the first of the fallbacks that is there, else the first that chats. */
function choose(models: readonly ModelInfo[], { defaultModel, fallback }: Settings): ModelInfo | undefined {
  if (defaultModel !== undefined) return models.find(({ name }) => sameModel(name, defaultModel))
  const wanted = fallback.models.map((one) => (typeof one === 'string' ? one : one.model))
  const present = wanted.flatMap((name) => models.find((model) => sameModel(model.name, name)) ?? [])
  return present.find(({ loaded }) => loaded === true) ?? present[0] ?? models.find(({ chat }) => chat !== false)
}

function pull(backend: Backend, model = 'llama3.2:3b'): string {
  if (backend.name === 'embedded') return `Run "colloquy model pull ${model}".`
  return backend.name === 'openai'
    ? 'Load it on the server, or set defaultModel to a model that is listed.'
    : `Run "ollama pull ${model}" on the server, or set defaultModel to a model that is listed.`
}

const keepLoaded = ({ name }: Backend) =>
  name === 'openai' ? 'Load it on the server ahead of the first call.' : 'Set generation.keepAlive, for example to 30m.'

function windowOf({ contextTokens, trainedContextTokens }: ModelInfo, { context }: Settings): string {
  const parts = [
    context.contextTokens === undefined ? [] : [`${context.contextTokens} tokens are configured`],
    contextTokens === undefined ? [] : [`${contextTokens} are allocated`],
    trainedContextTokens === undefined ? [] : [`the model was trained for ${trainedContextTokens}`],
  ].flat()
  return parts.length === 0 ? 'The server does not tell the length of its context window.' : `${parts.join(', ')}.`
}

function windowAdvice({ contextTokens }: ModelInfo, { context }: Settings): { next?: string } {
  const room = contextTokens ?? context.contextTokens
  if (room === undefined) return { next: 'Set context.contextTokens to the window that the server serves.' }
  if (context.contextTokens !== undefined && contextTokens !== undefined && contextTokens < context.contextTokens) {
    return {
      next: `Set context.contextTokens to ${contextTokens}: more than that is cut off, or the model is reloaded.`,
    }
  }
  return room < 2 * context.replyTokens ? { next: 'Raise the window: replies take most of it.' } : {}
}

function parallelism({ name }: Backend, { concurrency }: Settings): [string, { next?: string }?] {
  const { slots } = concurrency
  const ours = `Up to ${slots} requests are sent at once`
  if (name === 'embedded' || name === 'scripted') return [`${ours}.`]
  if (slots === 1) return [`${ours.replace('requests are', 'request is')}.`]
  if (name === 'openai') return [`${ours}; llama.cpp serves as many as its --parallel says, vLLM many.`]
  return [
    `${ours}, but Ollama answers one at a time unless OLLAMA_NUM_PARALLEL is set: the others wait without a byte.`,
    { next: `Set OLLAMA_NUM_PARALLEL=${slots} on the server, or concurrency.slots to 1.` },
  ]
}

interface FirstToken {
  backend: Backend
  settings: Settings
  clock: Clock
  model: string
  since: Milliseconds
}

async function firstToken({ backend, settings, clock, model, since }: FirstToken, signal: AbortSignal) {
  const { contextTokens } = settings.context
  let first: Milliseconds | undefined
  await backend.stream(
    {
      model,
      messages: [{ role: 'user', content: 'Say yes.' }],
      maxTokens: 16,
      // the same window as replies ask for: another one would reload the model
      ...(contextTokens === undefined ? {} : { contextTokens }),
      ...(settings.generation.keepAlive === undefined ? {} : { keepAlive: settings.generation.keepAlive }),
    },
    ({ type }) => {
      if (type === 'delta') first ??= clock.now() - since
    },
    signal,
  )
  if (first !== undefined) return first
  const message = 'The model ended its reply without a single token.'
  throw new LlmError('empty-reply', { fault: 'first-token', message })
}
