import type { Candidate } from '../../machines/reply-policy.ts'
import type { AttemptInput } from '../../machines/reply.ts'
import type { Milliseconds } from '../../machines/vocabulary.ts'
import type { Backend, BackendEnd, ChatMessage, ChatRequest } from '../backends/contract.ts'
import type { Settings } from '../config/config.ts'
import type { ReplyConversation } from './types.ts'

/** Makes requests of conversations. */
export interface Prompts {
  build(asked: {
    conversation: ReplyConversation
    input: AttemptInput
    backend: Backend
    signal: AbortSignal
  }): Promise<{
    request: ChatRequest
    info: { estimatedTokens: number; contextTokens: number; evictedMessages: number }
  }>
  /** What a complete reply tells of tokens and speed. */
  learn(told: { conversation: ReplyConversation; backend: Backend; candidate: Candidate; end: BackendEnd }): void
  /** How long the first token of this request may take. */
  firstTokenMs(origin: string, request: ChatRequest): Milliseconds
}

export function createPrompts({ settings }: { settings: Settings }): Prompts {
  return {
    async build({ conversation, input }) {
      const { temperature, topP, seed, think, keepAlive } = settings.generation
      const messages: ChatMessage[] = [
        { role: 'system', content: settings.systemPrompt },
        ...conversation.messages(input.reply),
      ]
      const request: ChatRequest = {
        model: input.candidate.model,
        messages,
        maxTokens: settings.context.replyTokens,
        think,
        ...(temperature === undefined ? {} : { temperature }),
        ...(topP === undefined ? {} : { topP }),
        ...(seed === undefined ? {} : { seed }),
        ...(keepAlive === undefined ? {} : { keepAlive }),
      }
      return { request, info: { estimatedTokens: 0, contextTokens: 0, evictedMessages: 0 } }
    },
    learn() {},
    firstTokenMs: () => settings.timeouts.firstTokenMs,
  }
}
