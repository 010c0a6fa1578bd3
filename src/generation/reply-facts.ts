import type { ReplyConversation } from './types.ts'

/** What is true now (time, presence), for one reply. */
export type FactsOf = (conversation: ReplyConversation, replyId: string, signal: AbortSignal) => Promise<string>

/** Where facts come from. */
export type Facts = (asked: { conversationId: string }, signal: AbortSignal) => string | Promise<string>

/**
 * Asked once a reply: what changed between its requests would be a new prompt from the caller's words on, and the cache
 * would be asked for another reply than the model.
 */
export function factsByReply(): FactsOf {
  const newest = new WeakMap<ReplyConversation, { replyId: string; facts: string }>()
  return async (conversation, replyId, signal) => {
    const before = newest.get(conversation)
    if (before?.replyId === replyId) return before.facts
    const { facts } = conversation.characterOf(replyId)
    const now = { replyId, facts: (await facts?.({ conversationId: conversation.id }, signal)) ?? '' }
    if (!signal.aborted) newest.set(conversation, now)
    return now.facts
  }
}
