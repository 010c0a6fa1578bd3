import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import type { ConversationStore } from './store.ts'

/** Conversations that are read at a time: more would only wait for one another, and be late. */
const mostAtOnce = 4

/**
 * A store that is opened with its first use, is asked for few conversations at a time, and answers in time or rejects.
 * Only a commit may take as long as it takes.
 */
export function boundedStore(options: {
  store: ConversationStore
  /** Opens it once, and rejects where it cannot be opened. */
  open(): Promise<void>
  clock: Clock
  loadMs: Milliseconds
}): Pick<ConversationStore, 'load' | 'commit' | 'setAside'> {
  const { store, open, clock, loadMs } = options
  const waiting: (() => void)[] = []
  let running = 0
  /** One that is silent is not waited for by every conversation in turn. */
  let isSilent = false

  async function inTurn<Value>(ask: () => Promise<Value>): Promise<Value> {
    if (running >= mostAtOnce) await new Promise<void>((resolve) => waiting.push(resolve))
    running += 1
    try {
      return await answered(ask)
    } finally {
      running -= 1
      waiting.shift()?.()
    }
  }

  async function answered<Value>(ask: () => Promise<Value>): Promise<Value> {
    if (isSilent) throw silence()
    const answer = ask()
    answer.then(
      () => (isSilent = false),
      () => (isSilent = false),
    )
    return within(clock, loadMs, answer, () => {
      isSilent = true
      return silence()
    })
  }

  return {
    load: (conversationId) =>
      inTurn(async () => {
        await open()
        return store.load(conversationId)
      }),
    commit: async (write) => {
      await open()
      return store.commit(write)
    },
    setAside: (conversationId, reason) => answered(async () => store.setAside(conversationId, reason)),
  }
}

/** The answer, or the error once `ms` have passed and one more turn of the event loop has brought none. */
export function within<Value>(
  clock: Clock,
  ms: Milliseconds,
  answer: Promise<Value>,
  late: () => Error,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    let cancel = clock.schedule(() => {
      // A busy program hears late of an answer that was in time.
      cancel = clock.schedule(() => reject(late()), 0)
    }, ms)
    answer.then(resolve, reject).finally(() => cancel())
  })
}

function silence(): LlmError {
  const message = 'it did not answer in time; see whether its disk is busy, or raise timeouts.storeLoadMs'
  return new LlmError('store', { message, retryable: true })
}
