import type { GenerateRequest } from 'ollama'
import type { Backend, ChatMessage, ChatRequest } from '../contract.ts'
import { createTransport } from '../http.ts'
import { describeOllamaModel, ollamaModels } from './models.ts'
import { ollamaCommon } from './options.ts'
import { streamOllama } from './stream.ts'
import { defaultLineBytes, type ServerOptions } from '../server-options.ts'

/** Ollama's `/api/generate`, for servers without chat: it knows no messages and no tools. */
export function ollamaGenerate({ baseUrl, apiKey, lineBytes = defaultLineBytes }: ServerOptions): Backend {
  const backend = 'ollama-generate'
  const transport = createTransport({ baseUrl, backend, ...(apiKey === undefined ? {} : { apiKey }) })
  const through = { transport, backend }
  return {
    name: backend,
    origin: transport.address.origin,
    canAbortPrompt: false,
    stream(request, on, signal) {
      const asked = generateBody(request)
      return streamOllama({ through, lineBytes, request, on, signal }, (client) =>
        request.stream === false
          ? client.generate({ ...asked, stream: false })
          : client.generate({ ...asked, stream: true }),
      )
    },
    models: (signal) => ollamaModels(through, signal),
    describe: (model, signal) => describeOllamaModel(through, model, signal),
  }
}

const names = { user: 'User', assistant: 'Assistant', tool: 'Tool', system: 'System' } as const

function generateBody(request: ChatRequest): GenerateRequest {
  const system = request.messages.filter(({ role }) => role === 'system').map(({ content }) => content)
  return {
    // a model that writes lines may go on with the caller's
    ...ollamaCommon(request, [`\n${names.user}:`]),
    ...(system.length === 0 ? {} : { system: system.join('\n\n') }),
    prompt: promptOf(request.messages),
  }
}

const oneLine = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .join(' ')

/**
 * Turns as lines, the last one open for the reply:
 *
 *     User: hello
 *     Assistant: Hi.
 *     User: how are you
 *     Assistant:
 *
 * Each prompt begins with the one before it, so what the server has cached stays valid.
 */
export function promptOf(messages: readonly ChatMessage[]): string {
  const lines = messages
    .filter(({ role, content }) => role !== 'system' && content.trim() !== '')
    .map(({ role, content }) => `${names[role]}: ${oneLine(content)}`)
  return [...lines, `${names.assistant}:`].join('\n')
}
