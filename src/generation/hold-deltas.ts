import type { Delta, ReplyInput } from '../../machines/vocabulary.ts'

/** Keeps the deltas of a speculation until it is adopted; all others pass at once. */
export interface DeltaHold {
  onDelta(delta: Delta): void
  /** A reply begins: what an older speculation said and nobody adopted is forgotten. */
  begin(input: Pick<ReplyInput, 'replyId' | 'purpose'>): void
  /** The speculation is the turn's reply now. */
  show(replyId: string): void
}

export function holdDeltas(pass: (delta: Delta) => void): DeltaHold {
  let held: { replyId: string; deltas: Delta[] } | undefined
  return {
    onDelta(delta) {
      if (held?.replyId === delta.replyId) held.deltas.push(delta)
      else pass(delta)
    },
    begin({ replyId, purpose }) {
      held = purpose === 'speculation' ? { replyId, deltas: [] } : undefined
    },
    show(replyId) {
      if (held?.replyId !== replyId) return
      const { deltas } = held
      held = undefined
      for (const delta of deltas) pass(delta)
    },
  }
}
