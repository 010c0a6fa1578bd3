import type { Delta, Milliseconds, ReplyInput, Segmenter, Usage } from '../../machines/vocabulary.ts'
import type { Backend, ChatMessage } from '../backends/contract.ts'
import type { Settings } from '../config/config.ts'
import type { Facts } from './reply-facts.ts'
import type { Toolbox } from './tools.ts'

/** Where a backend is reached; nothing set means the service's own. */
export interface Target {
  baseUrl?: string
  apiKey?: string
  apiType?: Settings['apiType']
}

/** Reaches a backend: memoised by the caller, rejects with an LlmError. */
export type Connect = (target: Target, signal: AbortSignal) => Promise<Backend>

export type { CutSegment, Segmenter } from '../../machines/vocabulary.ts'

/** Cuts the text of one reply, in its language and by its settings. */
export type CreateSegmenter = (
  settings: Pick<Settings, 'language' | 'segments'>,
  unspokenMs: () => Milliseconds,
) => Segmenter

/** A fact about a reply with its moment, for timings and metrics. Marks of a higher attempt replace those before. */
export type ReplyMark = { replyId: string; attempt: number; atMs: Milliseconds } & (
  | { type: 'queued' }
  | { type: 'slot-granted' }
  | { type: 'connected' }
  | { type: 'first-token' }
  | { type: 'first-segment' }
  | { type: 'prompt'; estimatedTokens: number; contextTokens: number; evictedMessages: number }
  | { type: 'template-tokens'; count: number }
  /** Calls that could not be made, of which the model was told. */
  | { type: 'calls-refused'; count: number }
  | {
      type: 'ended'
      model: string
      backend: string
      usage: Usage
      loadMs?: Milliseconds
      promptMs?: Milliseconds
      replyMs?: Milliseconds
    }
)

/** How a reply is made: what its conversation is like when the reply begins. One object serves all that are alike. */
export interface Character {
  settings: Settings
  toolbox: Toolbox
  /** What is true now (time, presence): written into the newest user message of a prompt, and nowhere else. */
  facts: Facts | undefined
}

/** What a conversation lends to its replies. */
export interface ReplyConversation {
  id: string
  /** A reply begins. Its character stays as it is now, whatever becomes of the conversation's. */
  begin(input: ReplyInput): void
  characterOf(replyId: string): Character
  /** The speculation is the turn's reply now: its deltas may be seen. */
  show(replyId: string): void
  /** History as messages, without the system prompt; ends with the words to answer. */
  messages(input: ReplyInput): ChatMessage[]
  onDelta(delta: Delta): void
  onMark(mark: ReplyMark): void
  /** Estimated sound of this reply that the sink still has to play. */
  unspokenMs(replyId: string): Milliseconds
}

/** Something that went wrong beside a reply and did not stop it. */
export interface GenerationNote {
  code: 'store' | 'internal'
  message: string
  cause: unknown
}
