import { z } from 'zod'
import { LlmError, type Backend, type BackendEnd, type ChatRequest, type ToolCall } from '../backends/contract.ts'

export interface ChatResponse extends BackendEnd {
  text: string
  thinking?: string
  /** Functions that the model wants called; nobody calls them here. */
  toolCalls?: ToolCall[]
  backend: string
}

/** One attempt, no policy: the reply whole. */
export async function sendRequest(backend: Backend, request: ChatRequest, signal: AbortSignal): Promise<ChatResponse> {
  let text = ''
  let thinking = ''
  const toolCalls: ToolCall[] = []
  const end = await backend.stream(
    request,
    (record) => {
      if (record.type === 'tool-calls') toolCalls.push(...record.calls)
      if (record.type !== 'delta') return
      if (record.kind === 'text') text += record.text
      else thinking += record.text
    },
    signal,
  )
  return {
    ...end,
    text,
    backend: backend.name,
    ...(thinking === '' ? {} : { thinking }),
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
  }
}

const call = z.object({ id: z.string(), name: z.string(), arguments: z.json().optional() })
const Request = z.object({
  model: z.string().min(1),
  messages: z
    .object({
      role: z.enum(['system', 'user', 'assistant', 'tool']),
      content: z.string(),
      toolCalls: call.array().optional(),
      toolCallId: z.string().optional(),
      toolName: z.string().optional(),
    })
    .array()
    .min(1),
  maxTokens: z.int().min(1).optional(),
  contextTokens: z.int().min(1).optional(),
  temperature: z.number().optional(),
  topP: z.number().optional(),
  seed: z.int().optional(),
  stop: z.string().array().optional(),
  think: z.boolean().optional(),
  keepAlive: z.union([z.string(), z.number()]).optional(),
  tools: z
    .object({ name: z.string(), description: z.string(), parameters: z.record(z.string(), z.unknown()) })
    .array()
    .optional(),
  toolChoice: z.enum(['auto', 'none']).optional(),
  stream: z.boolean().optional(),
})

/** Throws `bad-input` that names the first wrong field. From JavaScript anything may come, and servers answer 400 to it. */
export function checkRequest(request: ChatRequest): void {
  const [issue] = Request.safeParse(request).error?.issues ?? []
  if (issue === undefined) return
  const field = issue.path.map(String).join('.') || 'request'
  throw new LlmError('bad-input', { message: `sendRequest: ${field} is missing or not valid` })
}
