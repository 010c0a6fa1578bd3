import { z } from 'zod'
import { readStoredConversation, type ConversationStore, type StoredLine } from '../index.ts'
import type { Printer } from './terminal.ts'

/**
 * Prints the log of each conversation, a JSON object a line, and holds no more than one of them. Resolves with those
 * that were damaged or changed; they are printed like the others.
 */
export async function exportConversations(
  store: Pick<ConversationStore, 'load'>,
  conversationIds: readonly string[],
  output: Printer,
): Promise<{ conversationId: string; reason: string }[]> {
  const refused = []
  for (const conversationId of conversationIds) {
    const stored = await store.load(conversationId)
    // Deleted since it was listed.
    if (stored === undefined) continue
    for (const line of stored.lines) output.json(exported(conversationId, line))
    const read = readStoredConversation(conversationId, stored)
    if (!read.ok) refused.push({ conversationId, reason: read.reason })
  }
  return refused
}

const Body = z.record(z.string(), z.unknown())

/** The names that the store knows come first and win over what a line says of itself. */
function exported(conversationId: string, { seq, body }: StoredLine): Record<string, unknown> {
  const names = { conversationId, seq }
  const fact = Body.safeParse(parseJson(body))
  return fact.success ? { ...names, ...fact.data, ...names } : { ...names, unreadable: body }
}

function parseJson(written: string): unknown {
  try {
    return JSON.parse(written)
  } catch {
    return undefined
  }
}
