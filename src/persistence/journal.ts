import type { Clock, Failure, Milliseconds, ServiceEvent, Turn } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import {
  beginning,
  chainLine,
  readStoredConversation,
  sealSnapshot,
  type Counters,
  type Place,
  type Remembered,
  type Unfinished,
} from './record.ts'
import type { ConversationStore, StoredLine } from './store.ts'

/** One conversation's pen: it reads what was kept, and keeps what happens from then on. No method ever rejects. */
export interface Journal {
  /** Reads what an earlier run kept. undefined: nothing, or nothing that can be used; the conversation begins afresh. */
  open(): Promise<Remembered | undefined>
  /** The history that a fresh conversation was given by its program. */
  begin(history: readonly Turn[]): void
  tell(event: ServiceEvent): void
  /** What was heard so far of a reply that is still spoken: what is left of it should the program end now. */
  heard(replyId: string, text: string): void
  /** Writes what is left. */
  close(): Promise<void>
}

export interface JournalOptions {
  conversationId: string
  store: Pick<ConversationStore, 'load' | 'commit' | 'setAside'>
  clock: Clock
  /** A store that has not answered by then is done without. */
  loadMs: Milliseconds
  counters(): Counters
  /** The caller's words of this turn are durable, or will not be for now. */
  onStored(turnId: string, durable: boolean): void
  report(failure: Failure): void
}

/** Lines that a store which takes none may owe; then the conversation is kept no longer. */
const mostWaiting = 10_000

export function createJournal(options: JournalOptions): Journal {
  const { conversationId, store, report } = options
  let place: Place = beginning
  let unfinished: Unfinished | undefined
  let waiting: StoredLine[] = []
  /** Turns whose words somebody waits for. */
  let awaited: string[] = []
  let isChanged = false
  let isOff = false
  let isFailing = false
  let writing: Promise<void> | undefined

  function giveUp(message: string): void {
    isOff = true
    waiting = []
    answer(false)
    report({ code: 'store', message, retryable: false })
  }

  function answer(durable: boolean): void {
    const turns = awaited
    awaited = []
    for (const turnId of turns) options.onStored(turnId, durable)
  }

  async function write(): Promise<void> {
    // All that happens at once is one commit.
    await Promise.resolve()
    while (isChanged && !isOff) {
      isChanged = false
      const lines = [...waiting]
      const turns = [...awaited]
      const snapshot = sealSnapshot(place, options.counters(), unfinished)
      try {
        await store.commit({ conversationId, snapshot, lines })
      } catch (error) {
        failed(error)
        break
      }
      isFailing = false
      waiting = waiting.slice(lines.length)
      awaited = awaited.filter((turnId) => !turns.includes(turnId))
      for (const turnId of turns) options.onStored(turnId, true)
    }
    writing = undefined
  }

  /** The lines stay, and go with the next commit. One report for one outage. */
  function failed(error: unknown): void {
    // Somebody else changed or deleted what is stored, or it will never take anything.
    if (error instanceof LlmError && !error.retryable) {
      return giveUp(`this conversation is kept no longer: ${error.message}`)
    }
    answer(false)
    if (isOff || isFailing) return
    isFailing = true
    const message = `what was said could not be stored, the conversation goes on: ${wordsOf(error)}`
    report({ code: 'store', message, retryable: true })
  }

  function keep<Fact extends { type: string }>(fact: Fact): void {
    if (isOff) return
    const line = chainLine(place, fact)
    place = line
    waiting.push(line)
    if (waiting.length > mostWaiting) giveUp('the store takes nothing more; this conversation is kept no longer')
    change()
  }

  function change(): void {
    isChanged = true
    if (!isOff) writing ??= write()
  }

  return {
    async open() {
      try {
        const stored = await within(options.clock, options.loadMs, store.load(conversationId))
        if (stored === undefined) return undefined
        const read = readStoredConversation(stored)
        if (read.ok) {
          ;({ place } = read)
          return read.remembered
        }
        const kept = await store.setAside(conversationId, read.reason)
        const message = `what was stored of this conversation cannot be used (${read.reason}); it begins afresh, and the old one is kept as ${kept}`
        report({ code: 'store', message, retryable: false })
      } catch (error) {
        giveUp(`the store could not be read, so nothing of this conversation is kept: ${wordsOf(error)}`)
      }
      return undefined
    },
    begin(history) {
      if (history.length > 0) keep({ type: 'HISTORY_GIVEN', history })
    },
    tell(event) {
      if (isOff) {
        if (event.type === 'CALLER_TURN_ENDED') options.onStored(event.turnId, false)
        return
      }
      if (!isKept(event)) return
      if (event.type === 'CALLER_TURN_ENDED') awaited.push(event.turnId)
      if (event.type === 'RESPONSE_GENERATING') {
        const { turnId, replyId } = event
        unfinished = { turnId, replyId, heard: '' }
      }
      if (isEnding(event) && event.turnId === unfinished?.turnId) unfinished = undefined
      keep(event)
    },
    heard(replyId, text) {
      if (isOff || unfinished?.replyId !== replyId || unfinished.heard === text) return
      unfinished = { ...unfinished, heard: text }
      change()
    },
    async close() {
      await writing
      // What failed before is tried once more.
      if (waiting.length > 0 && !isOff) {
        change()
        await writing
      }
    },
  }
}

/** Facts of a turn are kept. Its segments are in what was heard, and states are nothing to remember. */
function isKept(event: ServiceEvent): boolean {
  switch (event.type) {
    case 'STATE_CHANGED':
    case 'RESPONSE_SEGMENT':
      return false
    case 'ERROR_OCCURRED':
      return event.turnId !== undefined && event.code !== 'store'
    case 'AMBIENT_SPEECH_IGNORED':
      return event.kept !== undefined
    default:
      return true
  }
}

function isEnding(event: ServiceEvent): event is ServiceEvent & { turnId?: string } {
  return event.type === 'RESPONSE_FINISHED' || event.type === 'RESPONSE_INTERRUPTED' || event.type === 'ERROR_OCCURRED'
}

/** Of a store's own error the message; of any other nothing, since it may quote what it was given. */
function wordsOf(error: unknown): string {
  return error instanceof LlmError ? error.message : 'the store threw; see the cause in the log'
}

function within<Value>(clock: Clock, ms: Milliseconds, answer: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(() => {
      const message = 'it did not answer in time; see whether its disk is busy, or raise timeouts.storeLoadMs'
      reject(new LlmError('store', { message, retryable: true }))
    }, ms)
    answer.then(resolve, reject).finally(cancel)
  })
}
