import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  LlmError,
  type Backend,
  type BackendEnd,
  type BackendRecord,
  type ChatRequest,
  type ModelInfo,
} from '../contract.ts'
import { EngineClient } from './engine-client.ts'
import type { EngineEnd, EngineReport, EngineRequest } from './engine-messages.ts'
import { readGgufHeader } from './gguf-header.ts'
import { toEngineMessages } from './engine-prompt.ts'

export interface EmbeddedOptions {
  /** The provisioned engine: the folder that holds its node_modules. */
  engineDir: string
  /** The GGUF file. */
  modelPath: string
  /** What requests call it. */
  modelName: string
  /**
   * SHA-256 of the file as published, in hex. The engine compares whenever it opens the file, and refuses another with
   * `config`. Default: none, the file is used as it is.
   */
  sha256?: string
  /** Window of each conversation, in tokens. Default: 4096, or less where the model was trained for less. */
  contextTokens?: number
  /** Conversations whose prompts are kept at once. Default 4; what is beyond waits. */
  sequences?: number
  /** At most, and by default: all cores but one, which is the conversation’s own; at least 1. */
  threads?: number
  /** Prompt tokens read between two looks at the signal. Default by the size of the model. */
  sliceTokens?: number
}

export interface EmbeddedBackend extends Backend {
  /** Starts the engine and loads the model, if that has not happened. Tells how long loading took, in milliseconds. */
  load(signal: AbortSignal): Promise<{ loadMs: number; contextTokens: number }>
  /** The engine's process, while it runs. */
  readonly pid: number | undefined
  close(): Promise<void>
}

const defaultWindow = 4_096

/**
 * A slice should take well under 50 ms: an abort waits for the end of one. On one core of 2024, SmolLM2-135M reads 8
 * tokens in 20 to 45 ms; slices of 64 read a tenth faster and take 290. A GPU reads 64 in no time.
 */
function sliceFor(sizeBytes: number): number {
  if (process.platform === 'darwin' && process.arch === 'arm64') return 64
  return sizeBytes < 150_000_000 ? 8 : sizeBytes < 450_000_000 ? 4 : 2
}

/**
 * A language model on this machine, in a process of its own. Rejects with `config` where the file cannot be used or
 * the engine is not provisioned. Nothing is loaded yet: the first use does, and the first use after a crash.
 */
export async function createEmbeddedBackend(options: EmbeddedOptions): Promise<EmbeddedBackend> {
  const { modelName, modelPath, sequences = 4 } = options
  const header = await readGgufHeader(modelPath)
  const engineModule = join(options.engineDir, 'node_modules', 'node-llama-cpp', 'dist', 'index.js')
  if (!existsSync(engineModule)) {
    const message = 'The embedded engine is not installed; run: colloquy model pull'
    throw new LlmError('config', { message, backend: 'embedded', fault: 'engine-missing' })
  }
  const trained = header.trainedContextTokens ?? defaultWindow
  const contextTokens = Math.min(options.contextTokens ?? defaultWindow, trained)
  let client: EngineClient | undefined
  let loaded = false

  function engine(): EngineClient {
    if (client?.alive) return client
    loaded = false
    const request = {
      engine: pathToFileURL(engineModule).href,
      modelPath,
      ...(options.sha256 === undefined ? {} : { sha256: options.sha256 }),
      contextTokens,
      sequences,
      threads: Math.min(options.threads ?? Number.POSITIVE_INFINITY, Math.max(1, availableParallelism() - 1)),
      sliceTokens: options.sliceTokens ?? sliceFor(header.sizeBytes),
    }
    const next = new EngineClient(request, modelName)
    client = next
    next.opened.then(
      () => {
        loaded = client === next
      },
      // A model that could not be opened leaves a process of no use.
      () => next.end(),
    )
    return next
  }

  /** The open engine; leaves waiting (not the loading) when the signal says so. */
  async function ready(signal: AbortSignal | undefined) {
    signal?.throwIfAborted()
    const current = engine()
    const opened = await orAborted(current.opened, signal)
    return { current, opened }
  }

  function check(model: string): void {
    if (model === modelName || model === modelPath) return
    const message = `The embedded engine has ${modelName} open, not ${model}; colloquy model list shows what can be had.`
    throw new LlmError('model-missing', { message, backend: 'embedded', origin: 'embedded' })
  }

  const info = (): ModelInfo => ({
    name: modelName,
    loaded: loaded && client?.alive === true,
    contextTokens,
    ...(header.trainedContextTokens === undefined ? {} : { trainedContextTokens: header.trainedContextTokens }),
    chat: true,
    sizeBytes: header.sizeBytes,
  })

  return {
    name: 'embedded',
    origin: 'embedded',
    canAbortPrompt: true,

    async stream(request, on, signal): Promise<BackendEnd> {
      check(request.model)
      const asked = toEngineRequest(request)
      const wasLoaded = loaded && client?.alive === true
      on({ type: 'connected' })
      const { current, opened } = await ready(signal)
      const report = (about: EngineReport): void => {
        const record = toRecord(about)
        if (record !== undefined) on(record)
      }
      const end = await current.work((id) => ({ type: 'reply', id, request: asked }), isEnd, signal, report)
      return {
        model: request.model,
        finishReason: end.finishReason,
        usage: {
          promptTokens: end.promptTokens,
          cachedPromptTokens: end.cachedPromptTokens,
          replyTokens: end.replyTokens,
        },
        ...(wasLoaded ? {} : { loadMs: opened.loadMs }),
        promptMs: end.promptMs,
        replyMs: end.replyMs,
      }
    },

    models: (signal) => (signal.aborted ? Promise.reject(signal.reason) : Promise.resolve([info()])),

    async describe(model, signal) {
      signal.throwIfAborted()
      check(model)
      return info()
    },

    async countTokens(model, text, signal) {
      check(model)
      // Counting is no reason to load: until then an estimate must do.
      if (!loaded)
        throw new LlmError('internal', { message: 'no model is loaded yet to count with', fault: 'not-loaded' })
      const { current } = await ready(signal)
      return (await current.work((id) => ({ type: 'count', id, text }), isCount, signal)).tokens
    },

    async prewarm(request, signal) {
      check(request.model)
      const asked = toEngineRequest(request)
      const { current } = await ready(signal)
      await current.work((id) => ({ type: 'prewarm', id, request: asked }), isCount, signal)
    },

    async load(signal) {
      const { opened } = await ready(signal)
      return { loadMs: opened.loadMs, contextTokens: opened.contextTokens }
    },

    get pid() {
      return client?.alive ? client.pid : undefined
    },

    async close() {
      await client?.end()
      client = undefined
      loaded = false
    },
  }
}

function toEngineRequest(request: ChatRequest): EngineRequest {
  const { maxTokens = 512, temperature, topP, seed, stop = [] } = request
  return {
    messages: toEngineMessages(request),
    maxTokens,
    stop,
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(seed === undefined ? {} : { seed }),
  }
}

function toRecord(report: EngineReport): BackendRecord | undefined {
  if (report.type === 'granted') return { type: 'headers', status: 200 }
  return report.type === 'text' ? { type: 'delta', kind: 'text', text: report.text } : undefined
}

const isEnd = (report: EngineReport): report is EngineEnd => report.type === 'ended'
const isCount = (report: EngineReport): report is Extract<EngineReport, { type: 'counted' }> =>
  report.type === 'counted'

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}
