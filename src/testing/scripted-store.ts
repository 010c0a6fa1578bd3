import type { ConversationStore, StoredConversation, StoreWrite } from '../persistence/store.ts'
import { LlmError } from '../backends/contract.ts'

/** A store in memory that is slow, broken or full on cue. Two services may be given the same one, one after the other. */
export interface ScriptedStore extends ConversationStore {
  /** What it keeps, by conversation. Change it to see what is refused. */
  readonly kept: Map<string, StoredConversation>
  /** What was moved aside, with the reason. */
  readonly aside: readonly { conversationId: string; reason: string; stored: StoredConversation }[]
  /** Every commit that was asked, also those that failed. */
  readonly writes: readonly StoreWrite[]
  /** From now on nothing is answered until `release()`. */
  hold(): void
  release(): void
  /** Fails every call with these words, until called without. */
  fail(message?: string): void
}

export function scriptedStore(): ScriptedStore {
  const kept = new Map<string, StoredConversation>()
  const aside: { conversationId: string; reason: string; stored: StoredConversation }[] = []
  const writes: StoreWrite[] = []
  let failure: string | undefined
  let held: (() => void)[] | undefined

  /** Answers in its turn: at once, when released, or with the failure of that moment. */
  async function answer<Value>(run: () => Value): Promise<Value> {
    if (held !== undefined) {
      const queue = held
      await new Promise<void>((resolve) => queue.push(resolve))
    }
    if (failure !== undefined) throw new LlmError('store', { message: failure, retryable: true })
    return run()
  }

  return {
    kept,
    aside,
    writes,
    hold() {
      held ??= []
    },
    release() {
      const queue = held ?? []
      held = undefined
      for (const resolve of queue) resolve()
    },
    fail(message) {
      failure = message
    },
    open: () => answer(() => ({})),
    load: (conversationId) => answer(() => kept.get(conversationId)),
    commit(write) {
      writes.push(write)
      return answer(() => {
        const known = kept.get(write.conversationId)?.lines ?? []
        const fresh = write.lines.filter(({ seq }) => seq > known.length)
        kept.set(write.conversationId, { snapshot: write.snapshot, lines: [...known, ...fresh] })
      })
    },
    setAside: (conversationId, reason) =>
      answer(() => {
        const stored = kept.get(conversationId)
        if (stored !== undefined) aside.push({ conversationId, reason, stored })
        kept.delete(conversationId)
        return `number ${aside.length} of those put aside`
      }),
    list: () =>
      answer(() =>
        [...kept].map(([conversationId, { lines }]) => ({
          conversationId,
          lines: lines.length,
          createdAt: '',
          updatedAt: '',
        })),
      ),
    delete: (conversationId) => answer(() => kept.delete(conversationId)),
    close: () => answer(() => {}),
  }
}
