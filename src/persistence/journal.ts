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
  /** Answers every call in bounded time, but for `commit`. */
  store: Pick<ConversationStore, 'load' | 'commit' | 'setAside'>
  clock: Clock
  counters(): Counters
  /** The caller's words of this turn are durable, or will not be for now. */
  onStored(turnId: string, durable: boolean): void
  report(failure: Failure): void
}

/** Lines that a store which takes none may owe; then the conversation is kept no longer. */
const mostWaiting = 10_000
/** What failed is tried again so much later, and then with the next turn. */
const retriesMs: readonly Milliseconds[] = [1_000, 5_000, 30_000]
/** A commit that has not answered for so long is an outage. */
const silenceMs = 5_000

export function createJournal(options: JournalOptions): Journal {
  const { conversationId, store, clock } = options
  let place: Place = beginning
  let unfinished: Unfinished | undefined
  let waiting: StoredLine[] = []
  /** Turns whose words somebody waits for. */
  let awaited: string[] = []
  let kept: Counters | undefined
  let isChanged = false
  let isOff = false
  let isClosing = false
  /** Failures of one outage, and what ends the wait for the next try. */
  let failures = 0
  let isTold = false
  let cancelRetry: (() => void) | undefined
  let writing: Promise<void> | undefined
  let sinceMs = 0
  let cancelDoubt = () => {}

  /** Later, so that an event which led here is told to everybody first. */
  function report(message: string, retryable: boolean): void {
    void Promise.resolve().then(() => options.report({ code: 'store', message, retryable }))
  }

  function giveUp(message: string): void {
    isOff = true
    waiting = []
    cancelRetry?.()
    answer(false)
    report(message, false)
  }

  function answer(durable: boolean): void {
    const turns = awaited
    awaited = []
    for (const turnId of turns) options.onStored(turnId, durable)
  }

  async function write(): Promise<void> {
    sinceMs = clock.now()
    // All that happens at once is one commit.
    await Promise.resolve()
    while (isChanged && !isOff) {
      isChanged = false
      const lines = [...waiting]
      const turns = [...awaited]
      const counters = options.counters()
      const snapshot = sealSnapshot(conversationId, place, counters, unfinished)
      sinceMs = clock.now()
      try {
        await store.commit({ conversationId, snapshot, lines })
      } catch (error) {
        failed(error)
        break
      } finally {
        cancelDoubt()
      }
      kept = counters
      failures = 0
      isTold = false
      waiting = waiting.slice(lines.length)
      awaited = awaited.filter((turnId) => !turns.includes(turnId))
      for (const turnId of turns) options.onStored(turnId, true)
    }
    writing = undefined
  }

  /** The lines stay, and go with the next commit. One report for one outage. */
  function failed(error: unknown): void {
    if (isOff) return
    // Somebody else changed or deleted what is stored, or it will never take anything.
    if (error instanceof LlmError && !error.retryable) {
      return giveUp(`this conversation is kept no longer: ${wordsOf(error)}`)
    }
    isChanged = true
    answer(false)
    tellOutage(wordsOf(error))
    const againMs = retriesMs[failures]
    failures += 1
    if (againMs === undefined || isClosing) return
    cancelRetry = clock.schedule(() => {
      cancelRetry = undefined
      change({ isDue: true })
    }, againMs)
  }

  /** Its answer may have come already, and wait for a program that stood still to look at it. */
  function doubt(): void {
    cancelDoubt()
    cancelDoubt = clock.schedule(() => tellOutage('the store does not answer'), 0)
  }

  function tellOutage(why: string): void {
    if (isTold) return
    isTold = true
    report(`what was said could not be stored, the conversation goes on: ${why}`, true)
  }

  function keep<Fact extends { type: string }>(fact: Fact): void {
    if (isOff) return
    const line = chainLine(place, fact)
    place = line
    waiting.push(line)
    if (waiting.length > mostWaiting) giveUp('the store takes nothing more; this conversation is kept no longer')
    change()
  }

  function change({ isDue = false } = {}): void {
    isChanged = true
    // In an outage only the caller's words are worth another try before its time.
    if (isOff || (failures > 0 && !isDue && awaited.length === 0)) return
    cancelRetry?.()
    cancelRetry = undefined
    if (writing === undefined) writing = write()
    else if (clock.now() - sinceMs > silenceMs) doubt()
  }

  async function read(): Promise<Remembered | undefined> {
    const stored = await store.load(conversationId)
    if (stored === undefined) return undefined
    const found = readStoredConversation(conversationId, stored)
    if (found.ok) {
      ;({ place } = found)
      kept = found.remembered.counters
      return found.remembered
    }
    if (found.isNewer) {
      giveUp(`what is stored of this conversation stays as it is, and nothing new is kept: ${found.reason}; update it`)
      return undefined
    }
    const to = await store.setAside(conversationId, found.reason)
    report(
      `what was stored of this conversation cannot be used (${found.reason}); it begins afresh, and the old one is kept as ${to}`,
      false,
    )
    return undefined
  }

  return {
    async open() {
      try {
        return await read()
      } catch (error) {
        if (isClosing) isOff = true
        else giveUp(`the store could not be read, so nothing of this conversation is kept: ${wordsOf(error)}`)
        return undefined
      }
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
      isClosing = true
      cancelDoubt()
      cancelRetry?.()
      cancelRetry = undefined
      await writing
      const { turns, replies } = options.counters()
      const isCounted = kept === undefined || (kept.turns === turns && kept.replies === replies)
      // What failed before is tried once more, and ids that were given out and not kept are kept.
      if (isOff || (!isChanged && isCounted)) return
      change({ isDue: true })
      await writing
    },
  }
}

/** Facts of a turn are kept. Its segments are in what was heard, and states are nothing to remember. */
function isKept(event: ServiceEvent): boolean {
  switch (event.type) {
    case 'STATE_CHANGED':
    case 'CONVERSATION_OPENED':
    case 'CONVERSATION_CLOSED':
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

/** Of a store's own error the message; of any other its name alone, since its words may quote what it was given. */
function wordsOf(error: unknown): string {
  if (error instanceof LlmError) return error.message
  return `the store threw ${error instanceof Error ? error.name : 'something'}`
}
