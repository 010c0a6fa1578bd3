import { LlmError } from '../backends/contract.ts'
import type { ConversationStore, SetAside, StoredConversation } from './store.ts'

/** What a service asks of its store. */
export type CheckedStore = Pick<ConversationStore, 'open' | 'load' | 'commit' | 'setAside' | 'close'>

const methods = ['open', 'load', 'commit', 'setAside', 'list', 'delete', 'close'] as const

/**
 * A store that answers what it should: every method returns a promise, whatever it throws is a rejection, and what it
 * resolves with is what its type says. Throws `config` for something that is no store: a path in its place is the first
 * mistake that everybody makes.
 */
export function checkedStore(store: ConversationStore): CheckedStore {
  const given: unknown = store
  const isStore =
    typeof given === 'object' && given !== null && methods.every((name) => typeof store[name] === 'function')
  if (!isStore) {
    const message = "store must be a ConversationStore, such as sqliteStore({ file: 'conversations.db' })"
    throw new LlmError('config', { message })
  }
  return {
    async open() {
      const opened: unknown = await store.open()
      // What resolves with nothing had nothing to put aside.
      if (opened === undefined || opened === null) return {}
      const setAside = isRecord(opened) ? opened['setAside'] : opened
      if (setAside === undefined) return {}
      if (!isSetAside(setAside)) throw odd('open', '{ setAside?: { to, reason } }')
      return { setAside }
    },
    async load(conversationId) {
      const loaded: unknown = await store.load(conversationId)
      // Databases say null.
      if (loaded === undefined || loaded === null) return undefined
      if (!isStored(loaded)) throw odd('load', '{ snapshot, lines } or undefined')
      return loaded
    },
    async commit(write) {
      await store.commit(write)
    },
    async setAside(conversationId, reason) {
      const to: unknown = await store.setAside(conversationId, reason)
      if (typeof to !== 'string') throw odd('setAside', 'where it put the conversation')
      return to
    },
    async close() {
      await store.close()
    },
  }
}

function odd(method: string, due: string): LlmError {
  return new LlmError('store', { message: `the store must resolve ${method} with ${due}`, retryable: false })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isSetAside(value: unknown): value is SetAside {
  return isRecord(value) && typeof value['to'] === 'string' && typeof value['reason'] === 'string'
}

function isStored(value: unknown): value is StoredConversation {
  return (
    isRecord(value) &&
    typeof value['snapshot'] === 'string' &&
    Array.isArray(value['lines']) &&
    value['lines'].every(
      (line: unknown) =>
        isRecord(line) &&
        typeof line['seq'] === 'number' &&
        typeof line['body'] === 'string' &&
        typeof line['check'] === 'string',
    )
  )
}
