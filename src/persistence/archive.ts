import type { Clock, Failure, Milliseconds } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { boundedStore, within } from './bounded-store.ts'
import { checkedStore } from './checked-store.ts'
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
/** What kept it shut may be gone by then. */
const openAgainMs = 5_000

/** A store has one writer, and its writer closes it. */
const taken = new WeakSet<ConversationStore>()

/** Throws LlmError `config` where another service has this store. */
export function createArchive(options: {
  store: ConversationStore
  clock: Clock
  loadMs: Milliseconds
  report(failure: Failure, conversationId?: string): void
}): Archive {
  const { store: given, clock, loadMs, report } = options
  const store = checkedStore(given)
  if (taken.has(given)) {
    throw new LlmError('config', { message: 'this store belongs to another service; make one for each service' })
  }
  taken.add(given)
  /** By conversation: one that is made again goes on where its former self has ended. */
  const journals = new Map<string, Journal>()
  /** Under way, or done. */
  let opening: Promise<void> | undefined
  let failed: { error: unknown; atMs: Milliseconds } | undefined
  let giveUpOpening = () => {}
  let isClosed = false

  async function openOnce(): Promise<void> {
    if (isClosed) throw new LlmError('store', { message: 'the service is closed, and its store with it' })
    const late = () => new LlmError('store', { message: 'the store could not be opened in time; see its disk' })
    const { answer, giveUp } = within(clock, openMs, store.open(), late)
    giveUpOpening = giveUp
    const { setAside } = await answer
    if (setAside === undefined) return
    const message = `the store could not be read (${setAside.reason}); a new one is begun, and the old one is kept as ${setAside.to}`
    report({ code: 'store', message, retryable: false })
  }

  /** All who ask meanwhile share one opening; one that failed is made anew. */
  function open(): Promise<void> {
    opening ??= openOnce().catch((error: unknown) => {
      failed = { error, atMs: clock.now() }
      opening = undefined
      throw error
    })
    return opening
  }

  async function openSeldom(): Promise<void> {
    if (opening === undefined && failed !== undefined && clock.now() - failed.atMs < openAgainMs) throw failed.error
    return open()
  }

  const bounded = boundedStore({ store, open: openSeldom, clock, loadMs })

  async function closeAll(): Promise<void> {
    await Promise.all([...journals.values()].map((journal) => journal.close()))
    await store.close()
  }

  return {
    open,
    report,
    journal(asked) {
      const { conversationId } = asked
      const former = journals.get(conversationId)
      const written = createJournal({ ...asked, store: bounded, clock })
      const journal: Journal = {
        ...written,
        async open() {
          await former?.close()
          return written.open()
        },
        async close() {
          const late = () => new LlmError('store', { message: 'the store takes its last lines too slowly' })
          await within(clock, closeMs, written.close(), late).answer.catch(() => undefined)
          if (journals.get(conversationId) === journal) journals.delete(conversationId)
        },
      }
      journals.set(conversationId, journal)
      return journal
    },
    async close() {
      isClosed = true
      giveUpOpening()
      const message = 'the store did not take its last lines in time; the newest turns may be lost'
      try {
        await within(clock, closeMs, closeAll(), () => new LlmError('store', { message })).answer
      } catch (error) {
        const why = error instanceof LlmError ? error.message : 'the store threw while it was closed'
        report({ code: 'store', message: why, retryable: false })
      }
      taken.delete(given)
    },
  }
}
