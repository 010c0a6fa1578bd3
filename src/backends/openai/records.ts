import { z } from 'zod'
import type { BackendEnd, BackendRecord, ToolCall } from '../contract.ts'
import { boundCalls } from '../lines.ts'
import { readArguments } from '../whole-reply.ts'

const text = z.string().nullish()
const count = z.number().nonnegative().nullish()

export const OpenAiUsage = z
  .looseObject({
    prompt_tokens: count,
    completion_tokens: count,
    prompt_tokens_details: z.looseObject({ cached_tokens: count }).nullish(),
  })
  .nullish()

/** llama.cpp's own measures, beside the usage. */
const timings = z.looseObject({ prompt_ms: count, predicted_ms: count, cache_n: count }).nullish()

const delta = z.looseObject({
  content: text,
  reasoning: text,
  reasoning_content: text,
  tool_calls: z
    .array(
      z.looseObject({
        index: z.number().int().min(0).max(1_000).nullish(),
        id: text,
        function: z.looseObject({ name: text, arguments: text }).nullish(),
      }),
    )
    .nullish(),
})

/** One `data:` of a chat completion stream. */
export const OpenAiChunk = z.looseObject({
  model: text,
  choices: z
    .array(z.looseObject({ index: z.number().nullish(), delta: delta.nullish(), finish_reason: text }))
    .nullish(),
  usage: OpenAiUsage,
  timings,
  error: z.union([z.string(), z.looseObject({ message: z.string().optional() })]).nullish(),
})
export type OpenAiChunk = z.output<typeof OpenAiChunk>

interface OpenCall {
  id: string
  name: string
  written: string
}

/** Follows the chunks of one reply; `end()` gives its facts once a finish reason or [DONE] has come. */
export function followChunks(model: string, lineBytes: number, report: (record: BackendRecord) => void) {
  let answering = model
  let finish: string | undefined
  let usage: z.output<typeof OpenAiUsage>
  let measured: z.output<typeof timings>
  const calls: OpenCall[] = []
  const bound = boundCalls(lineBytes)
  const piece = (kind: 'text' | 'thinking', said: string | null | undefined) => {
    if (said) report({ type: 'delta', kind, text: said })
  }
  const callPiece = ({ index, id, function: named }: NonNullable<z.output<typeof delta>['tool_calls']>[number]) => {
    const at = index ?? calls.length
    if (calls[at] === undefined) bound.begun()
    for (const written of [id, named?.name, named?.arguments]) bound.wrote(written ?? '')
    const call = (calls[at] ??= { id: '', name: '', written: '' })
    call.id ||= id ?? ''
    call.name ||= named?.name ?? ''
    call.written += named?.arguments ?? ''
    report({ type: 'calling' })
  }
  return {
    take(chunk: OpenAiChunk): void {
      answering = chunk.model || answering
      usage = chunk.usage ?? usage
      measured = chunk.timings ?? measured
      const choice = chunk.choices?.find(({ index }) => (index ?? 0) === 0)
      piece('thinking', choice?.delta?.reasoning ?? choice?.delta?.reasoning_content)
      piece('text', choice?.delta?.content)
      for (const part of choice?.delta?.tool_calls ?? []) callPiece(part)
      finish = choice?.finish_reason ?? finish
    },
    /** The reply said why it ended; a usage chunk may still follow. */
    finished: () => finish !== undefined,
    counted: () => usage != null,
    end(): BackendEnd {
      const whole = calls.filter((call) => call !== undefined && call.name !== '').map(toolCall)
      if (whole.length > 0) report({ type: 'tool-calls', calls: whole })
      const cached = usage?.prompt_tokens_details?.cached_tokens ?? measured?.cache_n
      return {
        model: answering,
        finishReason: finishReason(finish, whole.length > 0),
        usage: {
          ...(usage?.prompt_tokens == null ? {} : { promptTokens: usage.prompt_tokens }),
          ...(cached == null ? {} : { cachedPromptTokens: cached }),
          ...(usage?.completion_tokens == null ? {} : { replyTokens: usage.completion_tokens }),
        },
        ...(measured?.prompt_ms == null ? {} : { promptMs: measured.prompt_ms }),
        ...(measured?.predicted_ms == null ? {} : { replyMs: measured.predicted_ms }),
      }
    },
  }
}

function toolCall({ id, name, written }: OpenCall, index: number): ToolCall {
  return { id: id || `call-${index}`, name, arguments: readArguments(written) }
}

export function finishReason(said: string | undefined, called: boolean): BackendEnd['finishReason'] {
  if (said === 'content_filter') return 'content-filter'
  if (said === 'length' || said === 'max_tokens') return 'length'
  return called || said === 'tool_calls' || said === 'function_call' ? 'tool-calls' : 'stop'
}
