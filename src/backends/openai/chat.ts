import { rootPath } from '../address.ts'
import type { Backend, BackendRecord, ChatMessage, ChatRequest } from '../contract.ts'
import { exchange } from '../exchange.ts'
import { createTransport } from '../http.ts'
import { spokenIn } from '../redaction.ts'
import { readOpenAiBody } from './body.ts'
import { describeOpenAiModel, openAiModels } from './models.ts'
import { onOwnSocket } from '../own-socket.ts'
import { defaultLineBytes, defaultReplyTokens, type ServerOptions } from '../server-options.ts'

/** `/v1/chat/completions`, as llama.cpp, vLLM, LM Studio, LocalAI and Ollama serve it. */
export function openAi({ baseUrl, apiKey, lineBytes = defaultLineBytes }: ServerOptions): Backend {
  const backend = 'openai'
  const transport = createTransport({ baseUrl, backend, ...(apiKey === undefined ? {} : { apiKey }) })
  const through = { transport, backend }
  const path = `${rootPath(transport.address.basePath)}/v1/chat/completions`
  return {
    name: backend,
    origin: transport.address.origin,
    canAbortPrompt: false,
    stream(request, on, signal) {
      const { model } = request
      const spoken = spokenIn(request)
      const body = JSON.stringify(completionBody(request))
      const accept = 'text/event-stream, application/json'
      const report = (record: BackendRecord) => {
        if (!signal.aborted) on(record)
      }
      return onOwnSocket(signal, async (own) => {
        const ask = { method: 'POST', path, body, accept, signal: own, on: report, model, spoken } as const
        return readOpenAiBody(await exchange(through, ask), { through, lineBytes, model, spoken, report })
      })
    },
    models: (signal) => openAiModels(through, signal),
    describe: (model, signal) => describeOpenAiModel(through, model, signal),
  }
}

function completionBody(request: ChatRequest) {
  const { model, tools, stop, stream = true } = request
  return {
    model,
    messages: mergeNeighbours(request.messages).map(openAiMessage),
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
    max_tokens: request.maxTokens ?? defaultReplyTokens,
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.topP === undefined ? {} : { top_p: request.topP }),
    ...(request.seed === undefined ? {} : { seed: request.seed }),
    ...(stop === undefined || stop.length === 0 ? {} : { stop }),
    ...(tools === undefined || tools.length === 0
      ? {}
      : {
          tools: tools.map((tool) => ({ type: 'function', function: tool })),
          ...(request.toolChoice === 'none' ? { tool_choice: 'none' } : {}),
        }),
  }
}

/** Strict templates demand that caller and assistant alternate. Tool calls and their results stay as they are. */
export function mergeNeighbours(messages: readonly ChatMessage[]): ChatMessage[] {
  const merged: ChatMessage[] = []
  for (const message of messages) {
    const last = merged.at(-1)
    const joins = last !== undefined && last.role === message.role && isPlain(last) && isPlain(message)
    if (joins) merged[merged.length - 1] = { role: last.role, content: `${last.content}\n${message.content}` }
    else merged.push(message)
  }
  return merged
}

const isPlain = ({ role, toolCalls }: ChatMessage) =>
  role !== 'tool' && (toolCalls === undefined || toolCalls.length === 0)

function openAiMessage({ role, content, toolCalls, toolCallId }: ChatMessage) {
  return {
    role,
    content,
    ...(toolCalls === undefined || toolCalls.length === 0
      ? {}
      : {
          tool_calls: toolCalls.map(({ id, name, arguments: given }) => ({
            id,
            type: 'function',
            function: { name, arguments: typeof given === 'string' ? given : JSON.stringify(given) },
          })),
        }),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
  }
}
