import { distinctUntilChanged, map, skip, type Subscription } from 'rxjs'
import type { Clock, ConversationLine as LiveLine, LlmService } from '../index.ts'
import { openChannel, type Channel } from './channel.ts'
import type { ConversationLine } from './protocol.ts'

/** The conversations that are in memory, each watched once for all who watch it. */
export interface Hub {
  channel(conversationId: string): Channel
  lines(): ConversationLine[]
  /** Whoever wants to know of every change in the list. Returns how to stop. */
  onChange(listener: (lines: ConversationLine[]) => void): () => void
  close(): void
}

/** A list for people: who wants an older conversation knows its name. */
const mostLines = 500

export function createHub(service: LlmService, clock: Clock): Hub {
  const channels = new Map<string, Channel>()
  const lists = new Set<Subscription>()
  const list = service.conversations.pipe(map(shown))

  const opened = service.events.subscribe(({ type, conversationId }) => {
    if (type === 'CONVERSATION_OPENED') channels.get(conversationId)?.reopened()
  })

  return {
    channel(conversationId) {
      const open = channels.get(conversationId)
      if (open !== undefined) return open
      const channel = openChannel(service.conversation(conversationId), clock, {
        open: () => service.conversation(conversationId),
        onDeserted: () => channels.delete(conversationId),
      })
      channels.set(conversationId, channel)
      return channel
    },
    lines() {
      let now: ConversationLine[] = []
      list.subscribe((lines) => (now = lines)).unsubscribe()
      return now
    },
    onChange(listener) {
      const following = list.pipe(distinctUntilChanged(isSame), skip(1)).subscribe(listener)
      lists.add(following)
      return () => {
        lists.delete(following)
        following.unsubscribe()
      }
    },
    close() {
      opened.unsubscribe()
      for (const following of lists) following.unsubscribe()
    },
  }
}

/** The latest at the end. */
function shown(lines: readonly LiveLine[]): ConversationLine[] {
  return lines
    .toSorted((one, other) => one.lastActiveAtMs - other.lastActiveAtMs)
    .slice(-mostLines)
    .map(({ id, state, turns }) => ({ conversationId: id, state, turns }))
}

function isSame(one: ConversationLine[], other: ConversationLine[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
