import type { Dialect } from './records.ts'

/** Which server is played. */
export type LoopbackServes =
  /** Ollama: its own API and `/v1`. */
  | 'ollama'
  /** An Ollama-like server without `/api/chat`. */
  | 'ollama-generate-only'
  /** Nothing but `/v1`. */
  | 'openai'
  | 'llama.cpp'
  | 'vllm'
  | 'lm-studio'
  | 'localai'
  /** A web site: HTML with status 200 for everything. */
  | 'website'
  /** 404 for everything. */
  | 'nothing'

export interface LoopbackModel {
  name: string
  loaded?: boolean
  /** Window really allocated. */
  contextTokens?: number
  trainedContextTokens?: number
  /** Default `['completion']`. */
  capabilities?: readonly string[]
  sizeBytes?: number
}

export interface Answer {
  status: number
  body: string
  contentType: string
}

const chatRoutes: Readonly<Record<string, Dialect>> = {
  '/api/chat': 'ollama-chat',
  '/api/generate': 'ollama-generate',
  '/v1/chat/completions': 'openai',
}

const dialects: Readonly<Record<LoopbackServes, readonly Dialect[]>> = {
  ollama: ['ollama-chat', 'ollama-generate', 'openai'],
  'ollama-generate-only': ['ollama-generate'],
  openai: ['openai'],
  'llama.cpp': ['openai'],
  vllm: ['openai'],
  'lm-studio': ['openai'],
  localai: ['ollama-chat', 'ollama-generate', 'openai'],
  website: [],
  nothing: [],
}

/** The dialect that a path is chat in, where this server has it. */
export function chatDialect(serves: LoopbackServes, path: string): Dialect | undefined {
  const dialect = chatRoutes[path]
  return dialect !== undefined && dialects[serves].includes(dialect) ? dialect : undefined
}

const json = (value: unknown, status = 200): Answer => ({
  status,
  body: JSON.stringify(value),
  contentType: 'application/json; charset=utf-8',
})
const text = (body: string, status: number): Answer => ({ status, body, contentType: 'text/plain; charset=utf-8' })

export interface Question {
  method: string
  path: string
  serves: LoopbackServes
  models: readonly LoopbackModel[]
  version: string
  /** For `/api/show`. */
  model: string | undefined
}

/** Everything but chat. */
export function answer(question: Question): Answer {
  const { serves, method, path } = question
  if (serves === 'website')
    return { status: 200, body: '<!doctype html><title>Welcome</title>', contentType: 'text/html' }
  if (serves === 'nothing') return text('404 page not found', 404)
  if (chatDialect(serves, path) !== undefined && method !== 'POST') return text('405 method not allowed', 405)
  const found = serves.startsWith('ollama') || serves === 'localai' ? ollamaAnswer(question) : undefined
  return found ?? openAiAnswer(question)
}

function ollamaAnswer({ path, method, serves, models, version, model }: Question): Answer | undefined {
  switch (path) {
    case '/':
      return serves === 'localai' ? undefined : text('Ollama is running', 200)
    case '/api/version':
      return json({ version })
    case '/api/tags':
      return json({ models: models.map(tag) })
    case '/api/ps':
      return json({
        models: models
          .filter(({ loaded }) => loaded !== false)
          .map((one) => ({
            ...tag(one),
            expires_at: '2026-01-01T00:05:00Z',
            context_length: one.contextTokens ?? 4_096,
          })),
      })
    case '/api/show': {
      if (method !== 'POST') return text('405 method not allowed', 405)
      const one = models.find(({ name }) => name === model)
      if (one === undefined) return json({ error: `model '${model ?? ''}' not found` }, 404)
      return json({
        details: tag(one).details,
        capabilities: one.capabilities ?? ['completion'],
        model_info: { 'general.architecture': 'llama', 'llama.context_length': one.trainedContextTokens ?? 131_072 },
      })
    }
    default:
      return undefined
  }
}

const tag = ({ name, sizeBytes, capabilities }: LoopbackModel) => ({
  name,
  model: name,
  modified_at: '2026-01-01T00:00:00Z',
  size: sizeBytes ?? 2_000_000_000,
  digest: 'a'.repeat(64),
  details: { format: 'gguf', family: 'llama', parameter_size: '3B', quantization_level: 'Q4_K_M' },
  ...(capabilities === undefined ? {} : { capabilities }),
})

const owners: Readonly<Partial<Record<LoopbackServes, string>>> = { 'llama.cpp': 'llamacpp', vllm: 'vllm' }

function openAiAnswer({ path, method, serves, models }: Question): Answer {
  if (path === '/v1/models' && serves !== 'ollama-generate-only') {
    return json({ object: 'list', data: models.map((model) => listed(model, serves)) })
  }
  switch (serves) {
    case 'lm-studio':
      return json({ error: `Unexpected endpoint or method. (${method} ${path}). Returning 200 anyway` })
    case 'llama.cpp':
      if (path === '/health') return json({ status: 'ok' })
      if (path === '/props') {
        return json({ default_generation_settings: { n_ctx: models[0]?.contextTokens ?? 4_096 }, total_slots: 1 })
      }
      // some builds list their models in this place too
      if (path === '/api/tags')
        return json({ models: models.map(({ name }) => ({ name, model: name })), object: 'list' })
      return json({ error: { code: 404, message: 'File Not Found', type: 'not_found_error' } }, 404)
    case 'vllm':
      return path === '/version' ? json({ version: '0.11.0' }) : json({ detail: 'Not Found' }, 404)
    case 'openai':
    case 'localai':
      return json({ error: { code: 404, message: 'no such route', type: '' } }, 404)
    default:
      return text('404 page not found', 404)
  }
}

function listed({ name, contextTokens, trainedContextTokens }: LoopbackModel, serves: LoopbackServes) {
  return {
    id: name,
    object: 'model',
    created: 1,
    owned_by: owners[serves] ?? 'library',
    ...(serves === 'vllm' ? { max_model_len: contextTokens ?? 8_192 } : {}),
    ...(serves === 'llama.cpp' ? { meta: { n_ctx_train: trainedContextTokens ?? 131_072 } } : {}),
  }
}
