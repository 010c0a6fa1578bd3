import type { LoopbackReply } from './replies.ts'
import { deltasOf } from './replies.ts'

/** The wire forms of a chat reply. */
export type Dialect = 'ollama-chat' | 'ollama-generate' | 'openai'

/** A reply as the bytes of its records, in order. */
export interface Records {
  contentType: string
  /** Before the text. */
  head: string[]
  /** One for each text delta. */
  deltas: string[]
  /** After the text: tool calls, the end record. */
  tail: string[]
  /** The same reply in one piece. */
  whole: string
  errorRecord(message: string): string
  badLine: string
  /** What a server sends to keep a connection open. */
  keepAlive: string
  /** Something harmless after the end. */
  afterEnd: string
}

const createdAt = '2026-01-01T00:00:00Z'
const nanosecondsPerMs = 1_000_000

export function recordsOf(dialect: Dialect, reply: LoopbackReply, model: string): Records {
  return dialect === 'openai' ? openAiRecords(reply, model) : ollamaRecords(dialect, reply, model)
}

function ollamaRecords(dialect: 'ollama-chat' | 'ollama-generate', reply: LoopbackReply, model: string): Records {
  const { usage = {}, thinking = [], toolCalls = [], finishReason = 'stop' } = reply
  const deltas = deltasOf(reply)
  const base = { model, created_at: createdAt }
  const said = (content: string, more: object = {}) =>
    dialect === 'ollama-chat' ? { message: { role: 'assistant', content, ...more } } : { response: content, ...more }
  const line = (record: object) => `${JSON.stringify(record)}\n`
  const end = {
    done: true,
    done_reason: finishReason,
    total_duration: 5 * nanosecondsPerMs,
    load_duration: (usage.loadMs ?? 1) * nanosecondsPerMs,
    prompt_eval_count: usage.promptTokens ?? 10,
    prompt_eval_duration: (usage.promptMs ?? 2) * nanosecondsPerMs,
    eval_count: usage.replyTokens ?? deltas.length,
    eval_duration: 2 * nanosecondsPerMs,
  }
  const calls = toolCalls.map(({ name, arguments: given }) => ({ function: { name, arguments: given } }))
  const withCalls = calls.length === 0 ? {} : { tool_calls: calls }
  const allThinking = thinking.length === 0 ? {} : { thinking: thinking.join('') }
  return {
    contentType: 'application/x-ndjson',
    head: thinking.map((piece) => line({ ...base, ...said('', { thinking: piece }), done: false })),
    deltas: deltas.map((piece) => line({ ...base, ...said(piece), done: false })),
    tail: [
      ...(calls.length === 0 ? [] : [line({ ...base, ...said('', withCalls), done: false })]),
      line({ ...base, ...said(''), ...end }),
    ],
    whole: JSON.stringify({ ...base, ...said(deltas.join(''), { ...allThinking, ...withCalls }), ...end }),
    errorRecord: (message) => line({ error: message }),
    badLine: '{"model": oops\n',
    keepAlive: '\n',
    afterEnd: line({ ...base, ...said(' And more.'), done: false }),
  }
}

function openAiRecords(reply: LoopbackReply, model: string): Records {
  const { usage = {}, thinking = [], toolCalls = [], finishReason = 'stop' } = reply
  const deltas = deltasOf(reply)
  const base = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model }
  const event = (record: object) => `data: ${JSON.stringify(record)}\n\n`
  const chunk = (delta: object, finish: string | null = null) =>
    event({ ...base, choices: [{ index: 0, delta, finish_reason: finish }] })
  const written = (given: unknown) => (typeof given === 'string' ? given : JSON.stringify(given))
  const calls = toolCalls.map(({ id, name, arguments: given }, index) => ({
    index,
    id: id ?? `call_${index}`,
    type: 'function',
    function: { name, arguments: written(given) },
  }))
  const finish = calls.length > 0 ? 'tool_calls' : finishReason
  const prompt = usage.promptTokens ?? 10
  const completion = usage.replyTokens ?? deltas.length
  const counted = {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    ...(usage.cachedPromptTokens === undefined
      ? {}
      : { prompt_tokens_details: { cached_tokens: usage.cachedPromptTokens } }),
  }
  const message = {
    role: 'assistant',
    content: deltas.join(''),
    ...(thinking.length === 0 ? {} : { reasoning: thinking.join('') }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  }
  return {
    contentType: 'text/event-stream',
    head: [chunk({ role: 'assistant', content: '' }), ...thinking.map((piece) => chunk({ reasoning: piece }))],
    deltas: deltas.map((piece) => chunk({ content: piece })),
    tail: [
      ...calls.map((call) => chunk({ tool_calls: [call] })),
      chunk({}, finish),
      event({ ...base, choices: [], usage: counted }),
      'data: [DONE]\n\n',
    ],
    whole: JSON.stringify({
      ...base,
      object: 'chat.completion',
      choices: [{ index: 0, message, finish_reason: finish }],
      usage: counted,
    }),
    errorRecord: (text) => event({ error: { message: text, type: 'server_error', code: 500 } }),
    badLine: 'data: {"id": oops\n\n',
    keepAlive: ': keep-alive\n\n',
    afterEnd: chunk({ content: ' And more.' }),
  }
}
