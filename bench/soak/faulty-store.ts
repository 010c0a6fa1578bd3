import { LlmError, type ConversationStore, type StoreWrite } from '../../src/index.ts'

export interface FaultyStore extends ConversationStore {
  readonly commits: number
  /** Commits that failed, and commits that were slow, by intention. */
  readonly failed: number
  readonly slowed: number
}

/** A real store whose disk is full for one commit in fifty, and busy for one in fifty. */
export function faultyStore(
  store: ConversationStore,
  random: () => number,
  pause: (ms: number) => Promise<void>,
): FaultyStore {
  let commits = 0
  let failed = 0
  let slowed = 0
  return {
    get commits() {
      return commits
    },
    get failed() {
      return failed
    },
    get slowed() {
      return slowed
    },
    open: () => store.open(),
    load: (id) => store.load(id),
    async commit(write: StoreWrite) {
      commits += 1
      const dice = random()
      if (dice < 0.02) {
        failed += 1
        throw new LlmError('store', { message: 'the disk is full, by intention', retryable: true })
      }
      if (dice < 0.04) {
        slowed += 1
        await pause(50 + random() * 100)
      }
      await store.commit(write)
    },
    setAside: (id, reason) => store.setAside(id, reason),
    list: () => store.list(),
    delete: (id) => store.delete(id),
    close: () => store.close(),
  }
}
