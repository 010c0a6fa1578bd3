import type { Clock, Failure, Milliseconds } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { boundedStore, within } from './bounded-store.ts'
import { createJournal, type Journal, type JournalOptions } from './journal.ts'
import type { ConversationStore } from './store.ts'

/** The store of a service and the journals that write to it. */
export interface Archive {
  /** Makes the store ready, also where that failed before. Rejects with LlmError `store` where there can be none. */
  open(): Promise<void>
  journal(options: Omit<JournalOptions, 'store' | 'clock'>): Journal
  /** What concerns a conversation that tells nothing more itself. */
  report(failure: Failure, conversationId?: string): void
  /** Writes what is left, for `closeMs` at most, and closes the store. Never rejects. */
  close(): Promise<void>
}

/** A store that takes longer than this to take its last lines is left. */
const closeMs = 2_000
/** Reading through a large file, to see whether it is whole, takes a while. */
const openMs = 10_000

export function createArchive(options: {
  store: ConversationStore
  clock: Clock
  loadMs: Milliseconds
  report(failure: Failure, conversationId?: string): void
}): Archive {
  const { store, clock, loadMs, report } = options
  /** By conversation: one that is made again goes on where its former self has ended. */
  const journals = new Map<string, Journal>()
  let opened: Promise<void> | undefined
  let isClosed = false

  async function openOnce(): Promise<void> {
    if (isClosed) throw new LlmError('store', { message: 'the service is closed, and its store with it' })
    const late = () => new LlmError('store', { message: 'the store could not be opened in time; see its disk' })
    const { setAside } = await within(clock, openMs, store.open(), late)
    if (setAside === undefined) return
    const message = `the store could not be read (${setAside.reason}); a new one is begun, and the old one is kept as ${setAside.to}`
    report({ code: 'store', message, retryable: false })
  }

  function open(): Promise<void> {
    opened ??= openOnce()
    return opened
  }

  /** What kept it shut may be gone: tried anew where somebody asks for it. */
  function openAnew(): Promise<void> {
    return open().catch(() => {
      opened = openOnce()
      return opened
    })
  }

  const bounded = boundedStore({ store, open, clock, loadMs })

  async function closeAll(): Promise<void> {
    await Promise.all([...journals.values()].map((journal) => journal.close()))
    isClosed = true
    await store.close()
  }

  return {
    open: openAnew,
    report,
    journal(given) {
      const { conversationId } = given
      const former = journals.get(conversationId)
      const written = createJournal({ ...given, store: bounded, clock })
      const journal: Journal = {
        ...written,
        async open() {
          await former?.close()
          return written.open()
        },
        async close() {
          const late = () => new LlmError('store', { message: 'the store takes its last lines too slowly' })
          await within(clock, closeMs, written.close(), late).catch(() => undefined)
          if (journals.get(conversationId) === journal) journals.delete(conversationId)
        },
      }
      journals.set(conversationId, journal)
      return journal
    },
    async close() {
      const message = 'the store did not take its last lines in time; the newest turns may be lost'
      try {
        await within(clock, closeMs, closeAll(), () => new LlmError('store', { message }))
      } catch (error) {
        const why = error instanceof LlmError ? error.message : 'the store threw while it was closed'
        report({ code: 'store', message: why, retryable: false })
      }
    },
  }
}
