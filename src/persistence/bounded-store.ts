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
  store: Pick<ConversationStore, 'load' | 'commit' | 'setAside'>
  /** Opens it once, in bounded time, and rejects where it cannot be opened. */
  open(): Promise<void>
  clock: Clock
  loadMs: Milliseconds
}): Pick<ConversationStore, 'load' | 'commit' | 'setAside'> {
  const { store, open, clock, loadMs } = options
  const waiting: (() => void)[] = []
  let running = 0
  /** It was late and has not answered since: nobody waits for the others, each has its own time. */
  let isSilent = false

  async function inTurn<Value>(ask: () => Promise<Value>): Promise<Value> {
    if (running >= mostAtOnce && !isSilent) await new Promise<void>((resolve) => waiting.push(resolve))
    running += 1
    try {
      return await ask()
    } finally {
      running -= 1
      waiting.shift()?.()
    }
  }

  /** Each in its own time: one conversation that cannot be read says nothing of the next. */
  function answered<Value>(ask: () => Promise<Value>): Promise<Value> {
    const heard = () => (isSilent = false)
    const asked = ask()
    asked.then(heard, heard)
    const late = () => {
      isSilent = true
      for (const next of waiting.splice(0)) next()
      const message = 'it did not answer in time; see whether its disk is busy, or raise timeouts.storeLoadMs'
      return new LlmError('store', { message, retryable: true })
    }
    return within(clock, loadMs, asked, late).answer
  }

  return {
    async load(conversationId) {
      await open()
      return inTurn(() => answered(() => store.load(conversationId)))
    },
    async commit(write) {
      await open()
      return store.commit(write)
    },
    setAside: (conversationId, reason) => answered(() => store.setAside(conversationId, reason)),
  }
}

/** The answer, or the error once `ms` have passed. */
export function within<Value>(
  clock: Clock,
  ms: Milliseconds,
  asked: Promise<Value>,
  late: () => Error,
): { answer: Promise<Value>; giveUp: () => void } {
  let giveUp = () => {}
  const answer = new Promise<Value>((resolve, reject) => {
    giveUp = () => {
      cancel()
      reject(late())
    }
    const cancel = clock.schedule(giveUp, ms)
    asked.then(resolve, reject).finally(() => cancel())
  })
  return { answer, giveUp: () => giveUp() }
}
