import type { ChatRequest as OllamaChat, Message, Tool } from 'ollama'
import { z } from 'zod'
import type { Backend, ChatMessage, ChatRequest } from '../contract.ts'
import { createTransport } from '../http.ts'
import { JsonObject } from '../json-object.ts'
import { describeOllamaModel, ollamaModels } from './models.ts'
import { ollamaCommon } from './options.ts'
import { streamOllama } from './stream.ts'
import type { ServerOptions } from '../server-options.ts'
import { defaultLineBytes } from '../server-options.ts'

const callArguments = JsonObject.catch({})
const isObject = (value: unknown) => typeof value === 'object' && value !== null
const toolParameters = z.custom<NonNullable<Tool['function']['parameters']>>(isObject)

/** Ollama's `/api/chat`. Throws `config` for an address that can never work. */
export function ollamaChat({ baseUrl, apiKey, lineBytes = defaultLineBytes }: ServerOptions): Backend {
  const backend = 'ollama-chat'
  const transport = createTransport({ baseUrl, backend, ...(apiKey === undefined ? {} : { apiKey }) })
  const through = { transport, backend }
  const stream: Backend['stream'] = (request, on, signal) => {
    const asked = chatBody(request)
    return streamOllama({ through, lineBytes, request, on, signal }, (client) =>
      request.stream === false ? client.chat({ ...asked, stream: false }) : client.chat({ ...asked, stream: true }),
    )
  }
  return {
    name: backend,
    origin: transport.address.origin,
    canAbortPrompt: false,
    stream,
    // One token, unread: the server keeps the prompt it read for it.
    async prewarm(request, signal) {
      await stream({ ...request, maxTokens: 1 }, () => {}, signal)
    },
    models: (signal) => ollamaModels(through, signal),
    describe: (model, signal) => describeOllamaModel(through, model, signal),
  }
}

function chatBody(request: ChatRequest): OllamaChat {
  // Ollama knows no tool_choice: not to be called is not to be told.
  const offered = request.toolChoice === 'none' ? undefined : request.tools
  const tools = offered?.map(({ name, description, parameters }) => ({
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
