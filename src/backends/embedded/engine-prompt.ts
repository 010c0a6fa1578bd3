import { LlmError, type ChatRequest } from '../contract.ts'
import type { EngineMessage } from './engine-messages.ts'

/**
 * Messages as the engine's chat templates know them. Results of tools that another model called are told as what they
 * are; the engine itself calls none, and says so, so that the reply goes to a model that can.
 */
export function toEngineMessages({ messages, tools = [], toolChoice }: ChatRequest): EngineMessage[] {
  if (tools.length > 0 && toolChoice !== 'none') {
    const message =
      'The embedded engine calls no tools: name a model on a server in fallback.models, or leave the tools option out.'
    throw new LlmError('config', { message, backend: 'embedded', fault: 'capability' })
  }
  return messages.flatMap(({ role, content, toolName }): EngineMessage[] => {
    if (role === 'tool') return [{ role: 'user', content: `[result of ${toolName ?? 'a tool'}] ${content}` }]
    // An assistant's turn that only called tools has no words.
    return content === '' && role === 'assistant' ? [] : [{ role, content }]
  })
}
