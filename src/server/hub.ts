import type { Subscription } from 'rxjs'
import type { Clock, LlmService } from '../index.ts'
import { openChannel, stateOf, type Channel } from './channel.ts'
import type { ConversationLine } from './protocol.ts'

/** The conversations that the server knows of, each opened once for all who watch. */
export interface Hub {
  channel(conversationId: string): Channel
  lines(): ConversationLine[]
  has(conversationId: string): boolean
  /** Whoever wants to know of every change in the list. Changes that come together are told once. */
  onChange(listener: (lines: ConversationLine[]) => void): () => void
  close(): void
}

/** Changes within this time are told together. */
const gatherMs = 50

export function createHub(service: LlmService, clock: Clock): Hub {
  const channels = new Map<string, Channel>()
  const known = new Set<string>()
  const listeners = new Set<(lines: ConversationLine[]) => void>()
  let cancel: (() => void) | null = null

  const lines = () =>
    [...known].map((conversationId) => {
      const conversation = service.conversation(conversationId)
      return { conversationId, state: stateOf(conversation), turns: conversation.history.length }
    })

  function changed(): void {
    if (listeners.size === 0) return
    cancel ??= clock.schedule(() => {
      cancel = null
      const told = lines()
      for (const listener of listeners) listener(told)
    }, gatherMs)
  }

  const events: Subscription = service.events.subscribe((event) => {
    if (event.type !== 'STATE_CHANGED' && event.type !== 'CALLER_TURN_ENDED') return
    known.add(event.conversationId)
    changed()
  })

  return {
    channel(conversationId) {
      const open = channels.get(conversationId)
      if (open !== undefined) return open
      const channel = openChannel(service.conversation(conversationId), clock, () => channels.delete(conversationId))
      channels.set(conversationId, channel)
      if (!known.has(conversationId)) {
        known.add(conversationId)
        changed()
      }
      return channel
    },
    lines,
    has: (conversationId) => known.has(conversationId),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {
      events.unsubscribe()
      cancel?.()
      listeners.clear()
    },
  }
}
