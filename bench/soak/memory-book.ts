import { createHash } from 'node:crypto'
import type { ConversationStore, Turn } from '../../src/index.ts'
import { readStoredConversation } from '../../src/persistence/record.ts'

/** What became of the conversations that were remembered, as a store has them. */
export interface MemoryVerdict {
  /** Stored whole: the same turns. */
  whole: number
  /** The last commits of it failed by intention: the turns before are the same. */
  shorter: number
  /** Anything else: refused, missing, or other turns. */
  wrong: string[]
}

/** Notes what every tenth conversation remembered when it was over, and compares it with what a store kept. */
export function memoryBook() {
  const notes = new Map<string, readonly string[]>()
  let seen = 0
  return {
    note(id: string, history: readonly Turn[]): void {
      seen += 1
      if (seen % 10 === 0) notes.set(id, history.map(digest))
    },
    async compare(store: ConversationStore): Promise<MemoryVerdict> {
      const verdict: MemoryVerdict = { whole: 0, shorter: 0, wrong: [] }
      for (const [id, remembered] of notes) {
        const stored = await store.load(id)
        const read = stored === undefined ? undefined : readStoredConversation(id, stored)
        if (read?.ok === false) verdict.wrong.push(`${id}: ${read.reason}`)
        const kept = read?.ok === true ? read.remembered.history.map(digest) : []
        if (kept.some((turn, at) => turn !== remembered[at])) verdict.wrong.push(`${id}: other turns`)
        else if (kept.length === remembered.length) verdict.whole += 1
        else verdict.shorter += 1
      }
      return verdict
    },
  }
}

const digest = ({ role, text, interrupted }: Turn): string =>
  createHash('sha256')
    .update(JSON.stringify([role, text, interrupted === true]))
    .digest('base64')
    .slice(0, 12)
