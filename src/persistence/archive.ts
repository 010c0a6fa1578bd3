import type { Clock, Failure, Milliseconds } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { createJournal, type Journal, type JournalOptions } from './journal.ts'
import type { ConversationStore } from './store.ts'

/** The store of a service and the journals that write to it. */
export interface Archive {
  /** Makes the store ready. Rejects with LlmError `store` where there can be none. */
  open(): Promise<void>
  journal(options: Omit<JournalOptions, 'store' | 'clock' | 'loadMs'>): Journal
  /** Writes what is left, for `closeMs` at most, and closes the store. Never rejects. */
  close(): Promise<void>
}

/** A store that takes longer than this to take its last lines is left. */
const closeMs = 2_000

export function createArchive(options: {
  store: ConversationStore
  clock: Clock
  loadMs: Milliseconds
  /** What concerns no conversation by itself. */
  report(failure: Failure): void
}): Archive {
  const { store, clock, loadMs, report } = options
  const journals = new Set<Journal>()
  let opened: Promise<void> | undefined

  async function openOnce(): Promise<void> {
    const { setAside } = await store.open()
    if (setAside === undefined) return
    const message = `the store could not be read (${setAside.reason}); a new one is begun, and the old one is kept as ${setAside.to}`
    report({ code: 'store', message, retryable: false })
  }

  function open(): Promise<void> {
    // One that could not be opened is tried anew: what kept it shut may be gone.
    opened ??= openOnce().catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }

  const ready: JournalOptions['store'] = {
    load: (id) => open().then(() => store.load(id)),
    commit: (write) => open().then(() => store.commit(write)),
    setAside: (id, reason) => store.setAside(id, reason),
  }

  async function closeAll(): Promise<void> {
    await Promise.all([...journals].map((journal) => journal.close()))
    if (opened !== undefined) await store.close()
  }

  return {
    open,
    journal(given) {
      const journal = createJournal({ ...given, store: ready, clock, loadMs })
      journals.add(journal)
      return {
        ...journal,
        async close() {
          await journal.close()
          journals.delete(journal)
        },
      }
    },
    async close() {
      let cancel = () => {}
      const late = new Promise<never>((_, reject) => {
        cancel = clock.schedule(() => reject(lateError()), closeMs)
      })
      try {
        await Promise.race([closeAll(), late])
      } catch (error) {
        const message = error instanceof LlmError ? error.message : 'the store threw while it was closed'
        report({ code: 'store', message, retryable: false })
      } finally {
        cancel()
      }
    },
  }
}

function lateError(): LlmError {
  return new LlmError('store', {
    message: 'the store did not take its last lines in time; the newest turns may be lost',
  })
}
