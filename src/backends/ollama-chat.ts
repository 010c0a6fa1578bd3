import type { ChatRequest as OllamaChat, Message, Tool } from 'ollama'
import { z } from 'zod'
import type { Backend, BackendEnd, ChatMessage, ChatRequest } from './contract.ts'
import { noEnd } from './exchange.ts'
import { createTransport } from './http.ts'
import { ollamaClient } from './ollama-client.ts'
import { describeOllamaModel, ollamaModels } from './ollama-models.ts'
import { ollamaCommon, spokenIn } from './ollama-options.ts'
import { followRecords, OllamaRecord } from './ollama-records.ts'
import type { ServerOptions } from './server-options.ts'
import { defaultLineBytes } from './server-options.ts'

const callArguments = z.record(z.string(), z.unknown()).catch({})
const isObject = (value: unknown) => typeof value === 'object' && value !== null
const toolParameters = z.custom<NonNullable<Tool['function']['parameters']>>(isObject)

/** Ollama's `/api/chat`. Throws `config` for an address that can never work. */
export function ollamaChat({ baseUrl, apiKey, lineBytes = defaultLineBytes }: ServerOptions): Backend {
  const backend = 'ollama-chat'
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
      const asked = chatBody(request)
      try {
        if (request.stream === false) {
          const end = follow(OllamaRecord.parse(await client.chat({ ...asked, stream: false })))
          if (end !== undefined) return end
        } else {
          for await (const record of await client.chat({ ...asked, stream: true })) {
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

function chatBody(request: ChatRequest): OllamaChat {
  const tools = request.tools?.map(({ name, description, parameters }) => ({
    type: 'function',
    function: { name, description, parameters: toolParameters.parse(parameters) },
  }))
  return {
    ...ollamaCommon(request),
    messages: request.messages.map(ollamaMessage),
    ...(tools === undefined || tools.length === 0 ? {} : { tools }),
  }
}

function ollamaMessage({ role, content, toolCalls, toolCallId, toolName }: ChatMessage): Message {
  return {
    role,
    content,
    ...(toolCalls === undefined || toolCalls.length === 0
      ? {}
      : {
          tool_calls: toolCalls.map(({ id, name, arguments: given }) => ({
            id,
            function: { name, arguments: callArguments.parse(given) },
          })),
        }),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
    ...(toolName === undefined ? {} : { tool_name: toolName }),
  }
}
