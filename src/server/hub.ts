import type { Subscription } from 'rxjs'
import type { Clock, Conversation, LlmService, ServiceEvent } from '../index.ts'
import { openChannel, stateOf, type Channel } from './channel.ts'
import type { ConversationLine } from './protocol.ts'

/** The conversations that the server knows of, each opened once for all who watch. */
export interface Hub {
  channel(conversationId: string): Channel
  lines(): ConversationLine[]
  /** Whoever wants to know of every change in the list. Changes that come together are told once. */
  onChange(listener: (lines: ConversationLine[]) => void): () => void
  close(): void
}

/** Changes within this time are told together. */
const gatherMs = 50
/** A list for people: who wants an older conversation knows its name. */
const mostLines = 500
const telling: ReadonlySet<ServiceEvent['type']> = new Set([
  'STATE_CHANGED',
  'CALLER_TURN_ENDED',
  'RESPONSE_FINISHED',
  'RESPONSE_INTERRUPTED',
])

export function createHub(service: LlmService, clock: Clock): Hub {
  const channels = new Map<string, Channel>()
  /** The latest at the end. */
  const known = new Map<string, ConversationLine>()
  const listeners = new Set<(lines: ConversationLine[]) => void>()
  let cancel: (() => void) | null = null

  const lines = () => [...known.values()]

  function changed(): void {
    if (listeners.size === 0) return
    cancel ??= clock.schedule(() => {
      cancel = null
      const told = lines()
      for (const listener of listeners) listener(told)
    }, gatherMs)
  }

  function note(conversation: Conversation): void {
    const { id: conversationId, history } = conversation
    const state = stateOf(conversation)
    const turns = history.filter(({ role }) => role !== 'tool').length
    const line = known.get(conversationId)
    if (line?.state === state && line.turns === turns) return
    known.set(conversationId, { conversationId, state, turns })
    const [oldest] = known.keys()
    if (known.size > mostLines && oldest !== undefined) known.delete(oldest)
    changed()
  }

  const events: Subscription = service.events.subscribe(({ type, conversationId }) => {
    const conversation = telling.has(type) ? service.find(conversationId) : undefined
    // A reply outside conversations has a name of its own, and opens none.
    if (conversation !== undefined) note(conversation)
  })

  return {
    channel(conversationId) {
      const open = channels.get(conversationId)
      if (open !== undefined) return open
      const channel = openChannel(service.conversation(conversationId), clock, () => channels.delete(conversationId))
      channels.set(conversationId, channel)
      if (!known.has(conversationId)) note(channel.conversation)
      channel.whenReady(() => note(channel.conversation))
      return channel
    },
    lines,
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
