import type { GenerateRequest } from 'ollama'
import type { Backend, BackendEnd, ChatMessage, ChatRequest } from './contract.ts'
import { noEnd } from './exchange.ts'
import { createTransport } from './http.ts'
import { ollamaClient } from './ollama-client.ts'
import { describeOllamaModel, ollamaModels } from './ollama-models.ts'
import { ollamaCommon, spokenIn } from './ollama-options.ts'
import { followRecords, OllamaRecord } from './ollama-records.ts'
import { defaultLineBytes, type ServerOptions } from './server-options.ts'

/** Ollama's `/api/generate`, for servers without chat: it knows no messages and no tools. */
export function ollamaGenerate({ baseUrl, apiKey, lineBytes = defaultLineBytes }: ServerOptions): Backend {
  const backend = 'ollama-generate'
  const transport = createTransport({ baseUrl, backend, ...(apiKey === undefined ? {} : { apiKey }) })
  const through = { transport, backend }
  return {
    name: backend,
    origin: transport.address.origin,
    canAbortPrompt: false,
    async stream(request, on, signal): Promise<BackendEnd> {
      const { model } = request
      const client = ollamaClient({ through, lineBytes, model, spoken: spokenIn(request), on, signal })
      const follow = followRecords(model, (record) => {
        if (!signal.aborted) on(record)
      })
      const asked = generateBody(request)
      try {
        if (request.stream === false) {
          const end = follow(OllamaRecord.parse(await client.generate({ ...asked, stream: false })))
          if (end !== undefined) return end
        } else {
          for await (const record of await client.generate({ ...asked, stream: true })) {
            signal.throwIfAborted()
            const end = follow(OllamaRecord.parse(record))
            if (end !== undefined) return end
          }
        }
      } catch (error) {
        signal.throwIfAborted()
        throw error
      }
      throw noEnd(through)
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
    .map(({ role, content }) => `${names[role]}: ${content.trim().replaceAll(/\s*\n\s*/g, ' ')}`)
  return [...lines, `${names.assistant}:`].join('\n')
}
