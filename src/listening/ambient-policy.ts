import type { AmbientVerdict } from '../../machines/conversation/events.ts'
import type { Turn } from '../../machines/vocabulary.ts'
import { namesOneOf } from '../../machines/words.ts'

/** What an ambient policy may look at. */
export interface AmbientContext {
  conversationId: string
  history: readonly Turn[]
  assistantNames: readonly string[]
  /** Time since the last reply was heard out; null where there was none. */
  sinceReplyMs: number | null
}

/** Decides about speech that is not known to be addressed to the assistant. */
export type AmbientPolicy = (
  utterance: { text: string; speaker?: string },
  context: AmbientContext,
  signal: AbortSignal,
) => AmbientVerdict | Promise<AmbientVerdict>

/** The policies that have a name. `wake` answers when it is named, or soon enough after a reply. */
export function namedAmbientPolicy(name: 'wake' | 'ignore' | 'context', followUpMs: number): AmbientPolicy {
  if (name !== 'wake') return () => name
  return ({ text }, { assistantNames, sinceReplyMs }) => {
    const followsUp = sinceReplyMs !== null && sinceReplyMs < followUpMs
    return followsUp || namesOneOf(text, assistantNames) ? 'answer' : 'ignore'
  }
}
