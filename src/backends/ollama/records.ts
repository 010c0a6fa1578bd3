import { z } from 'zod'
import type { BackendEnd, BackendRecord, ToolCall } from '../contract.ts'
import { JsonObject } from '../json-object.ts'
import { boundCalls } from '../lines.ts'
import { readArguments } from '../whole-reply.ts'

const text = z.string().nullish()
const count = z.number().nonnegative().nullish()
const call = z.object({
  id: z.string().nullish(),
  // An object; some servers that speak the dialect write text, as OpenAI does.
  function: z.object({
    name: z.string(),
    arguments: z.union([z.string(), JsonObject, z.array(z.unknown())]).nullish(),
  }),
})

/** One line of `/api/chat` or `/api/generate`; zero values are left out by the server. */
export const OllamaRecord = z.looseObject({
  model: z.string().nullish(),
  done: z.boolean().nullish(),
  done_reason: text,
  response: text,
  thinking: text,
  message: z.looseObject({ content: text, thinking: text, tool_calls: z.array(call).nullish() }).nullish(),
  error: z.union([z.string(), z.looseObject({ message: z.string().optional() })]).optional(),
  load_duration: count,
  prompt_eval_count: count,
  prompt_eval_duration: count,
  eval_count: count,
  eval_duration: count,
})
export type OllamaRecord = z.output<typeof OllamaRecord>

const nanosecondsPerMs = 1_000_000

/** Follows the records of one reply: reports what they bring, and knows the end when the last one has come. */
export function followRecords(model: string, lineBytes: number, report: (record: BackendRecord) => void) {
  let answering = model
  const calls: ToolCall[] = []
  const bound = boundCalls(lineBytes)
  const delta = (kind: 'text' | 'thinking', piece: string | null | undefined) => {
    if (piece) report({ type: 'delta', kind, text: piece })
  }
  return (record: OllamaRecord): BackendEnd | undefined => {
    const { message } = record
    answering = record.model || answering
    delta('thinking', message?.thinking ?? record.thinking)
    delta('text', message?.content ?? record.response)
    for (const { id, function: named } of message?.tool_calls ?? []) {
      bound.begun()
      bound.wrote(`${id ?? ''}${named.name}${JSON.stringify(named.arguments ?? {})}`)
      calls.push({ id: id || `call-${calls.length}`, name: named.name, arguments: readArguments(named.arguments) })
      report({ type: 'calling' })
    }
    if (record.done !== true) return undefined
    if (calls.length > 0) report({ type: 'tool-calls', calls })
    return endOf(record, answering, calls.length > 0)
  }
}

/** What comes after a word; '' where it does not stand there. */
const after = (word: string, text: string): string =>
  text.includes(word) ? text.slice(text.indexOf(word) + word.length) : ''

function endOf(record: OllamaRecord, model: string, called: boolean): BackendEnd {
  const cached = Object.entries(record).find(([name]) => /count|tokens/.test(after('cached', name)))?.[1]
  return {
    model,
    finishReason: called ? 'tool-calls' : record.done_reason === 'length' ? 'length' : 'stop',
    usage: {
      ...(record.prompt_eval_count == null ? {} : { promptTokens: record.prompt_eval_count }),
      ...(typeof cached === 'number' ? { cachedPromptTokens: cached } : {}),
      ...(record.eval_count == null ? {} : { replyTokens: record.eval_count }),
    },
    ...(record.load_duration == null ? {} : { loadMs: record.load_duration / nanosecondsPerMs }),
    ...(record.prompt_eval_duration == null ? {} : { promptMs: record.prompt_eval_duration / nanosecondsPerMs }),
    ...(record.eval_duration == null ? {} : { replyMs: record.eval_duration / nanosecondsPerMs }),
  }
}
