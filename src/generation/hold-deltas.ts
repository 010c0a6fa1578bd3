import type { Delta, ReplyInput } from '../../machines/vocabulary.ts'
import type { ReplyConversation } from './types.ts'

/** A conversation whose speculations are not seen before they are adopted. */
export interface HoldingConversation extends ReplyConversation {
  /** A reply begins: what an older speculation said and nobody adopted is forgotten. */
  begin(input: ReplyInput): void
  /** The speculation is the turn's reply now. */
  show(replyId: string): void
}

/** Keeps the deltas of a speculation until it is adopted; all others pass at once. */
export function holdDeltas(conversation: ReplyConversation): HoldingConversation {
  let held: { replyId: string; deltas: Delta[] } | undefined
  return {
    id: conversation.id,
    messages: (input) => conversation.messages(input),
    onMark: (mark) => conversation.onMark(mark),
    unspokenMs: (replyId) => conversation.unspokenMs(replyId),
    onDelta(delta) {
      if (held?.replyId === delta.replyId) held.deltas.push(delta)
      else conversation.onDelta(delta)
    },
    begin({ replyId, purpose }) {
      held = purpose === 'speculation' ? { replyId, deltas: [] } : undefined
    },
    show(replyId) {
      if (held?.replyId !== replyId) return
      const { deltas } = held
      held = undefined
      for (const delta of deltas) conversation.onDelta(delta)
    },
  }
}
