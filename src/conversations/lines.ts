import { Observable, type Subscriber } from 'rxjs'
import type { Clock, Milliseconds, StateName } from '../../machines/vocabulary.ts'
import type { Resident } from './resident.ts'

/** One conversation in memory, for lists. */
export interface ConversationLine {
  id: string
  state: StateName
  /** Turns in memory, calls of functions left out. */
  turns: number
  /** On the service's clock. */
  lastActiveAtMs: Milliseconds
}

export interface Lines {
  readonly stream: Observable<readonly ConversationLine[]>
  changed(): void
  close(): void
}

/** Changes within this time come as one list. */
const gatherMs = 50

/** The list of what is in memory, for those who subscribe: the one of now, and then one after each change. */
export function createLines(clock: Clock, residents: () => readonly Resident[]): Lines {
  const readers = new Set<Subscriber<readonly ConversationLine[]>>()
  let cancel: (() => void) | undefined
  let isClosed = false
  const lines = () => residents().map(lineOf)

  function send(): void {
    cancel = undefined
    const now = lines()
    for (const reader of readers) reader.next(now)
  }

  return {
    stream: new Observable((reader) => {
      reader.next(lines())
      if (isClosed) return reader.complete()
      readers.add(reader)
      return () => {
        readers.delete(reader)
        if (readers.size === 0) cancel?.()
        if (readers.size === 0) cancel = undefined
      }
    }),
    changed() {
      if (readers.size > 0) cancel ??= clock.schedule(send, gatherMs)
    },
    close() {
      cancel?.()
      isClosed = true
      for (const reader of readers) {
        reader.next(lines())
        reader.complete()
      }
    },
  }
}

function lineOf({ id, actor, history, lastActiveAtMs }: Resident): ConversationLine {
  const { value } = actor.getSnapshot()
  return { id, state: topOf(value), turns: history.filter(({ role }) => role !== 'tool').length, lastActiveAtMs }
}

function topOf(value: ReturnType<Resident['actor']['getSnapshot']>['value']): StateName {
  if (typeof value === 'string') return value
  const names = ['detecting', 'generating', 'responding'] as const
  return names.find((name) => name in value) ?? 'idle'
}
