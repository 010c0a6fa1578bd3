import { z } from 'zod'
import type { ToolCall } from './contract.ts'
import { JsonObject } from './json-object.ts'

/** A reply that came in one piece, whatever the dialect that wrote it. */
export interface WholeReply {
  text: string
  thinking: string
  calls: ToolCall[]
  model?: string
  /** As the server wrote it; undefined where it wrote none. */
  finishReason?: string
  record: Record<string, unknown>
}

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '')
const callArguments = z.union([z.string(), JsonObject]).nullish()
const toolCall = z.object({
  id: z.string().nullish(),
  function: z.object({ name: z.string(), arguments: callArguments }),
})
const message = z.looseObject({
  content: text,
  thinking: text,
  reasoning: text,
  reasoning_content: text,
  tool_calls: z.array(toolCall).nullish(),
})
const form = z.looseObject({
  model: z.string().optional(),
  done: z.boolean().optional(),
  done_reason: z.string().optional(),
  response: z.string().optional(),
  thinking: text,
  message: message.optional(),
  choices: z.array(z.looseObject({ message: message.optional(), finish_reason: z.string().nullish() })).nullish(),
})

/**
 * Tool arguments as an object where they are valid JSON, else the text that was written: the caller of tools judges.
 * Of a function without parameters models write nothing, `null` or `{}`.
 */
export function readArguments(value: unknown): unknown {
  if (typeof value !== 'string') return value ?? {}
  if (value.trim() === '') return {}
  try {
    const parsed: unknown = JSON.parse(value)
    return parsed ?? {}
  } catch (error) {
    if (error instanceof SyntaxError) return value
    throw error
  }
}

/**
 * Reads `{"response"}`, `{"message":{"content"}}` and `{"choices":[{"message":{"content"}}]}`; undefined for anything
 * else, and for a record that says itself that it is not the last.
 */
export function readWhole(value: unknown): WholeReply | undefined {
  const parsed = form.safeParse(value)
  if (!parsed.success || parsed.data.done === false) return undefined
  const { data } = parsed
  const [choice] = data.choices ?? []
  const said = data.message ?? choice?.message
  const common = { record: data, ...(data.model === undefined ? {} : { model: data.model }) }
  const finish = choice?.finish_reason ?? data.done_reason
  const finishReason = finish === undefined ? {} : { finishReason: finish }
  if (said !== undefined) {
    const calls = (said.tool_calls ?? []).map((call, index) => ({
      id: call.id ?? `call-${index}`,
      name: call.function.name,
      arguments: readArguments(call.function.arguments),
    }))
    const thinking = said.thinking || said.reasoning || said.reasoning_content
    return { text: said.content, thinking, calls, ...common, ...finishReason }
  }
  if (data.response === undefined) return undefined
  return { text: data.response, thinking: data.thinking, calls: [], ...common, ...finishReason }
}
