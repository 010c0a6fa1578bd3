import type { Failure, ServiceEvent, Turn } from '../../machines/vocabulary.ts'
import { foldHistory } from '../history/fold-history.ts'
import type { Archive } from '../persistence/archive.ts'
import type { Counters } from '../persistence/record.ts'
import { givenHistory } from './given.ts'

/** What one conversation remembers: the turns in memory, and the journal that keeps them where there is a store. */
export interface Memory {
  /** What was said and heard, oldest first. */
  readonly history: readonly Turn[]
  /** Reads what an earlier run kept. undefined: nothing is stored, or nothing that can be used. Never rejects. */
  open(): Promise<Resumed | undefined>
  /** Takes in what happened. */
  note(event: ServiceEvent): void
  /** What was heard so far of a reply that is still spoken. */
  heard(replyId: string, text: string): void
  /** Writes what is left. Never rejects. */
  close(): Promise<void>
}

/** What an earlier run left. */
export interface Resumed {
  counters: Counters
  /** A reply that was not over when its program ended. */
  unfinished?: { turnId: string; heard: string }
}

export interface MemoryOptions {
  conversationId: string
  /** What the program remembers of it, for a conversation that no store knows. */
  given: readonly Turn[] | undefined
  archive: Archive | undefined
  counters(): Counters
  onStored(turnId: string, durable: boolean): void
  report(failure: Failure): void
}

/** Without a store there is only the list of turns. */
export function createMemory(options: MemoryOptions): Memory {
  const { archive, given, ...journalOptions } = options
  let history = givenHistory(given)
  const journal = archive?.journal(journalOptions)

  return {
    get history() {
      return history
    },
    async open() {
      const remembered = await journal?.open()
      if (remembered === undefined) {
        journal?.begin(history)
        return undefined
      }
      ;({ history } = remembered)
      return remembered
    },
    note(event) {
      history = foldHistory(history, event)
      journal?.tell(event)
    },
    heard(replyId, text) {
      journal?.heard(replyId, text)
    },
    close: async () => journal?.close(),
  }
}
