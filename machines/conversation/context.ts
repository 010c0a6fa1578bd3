import type { CallerWords, CommittedWords, VoiceActivity } from './caller-words.ts'
import type { ConversationEvent } from './events.ts'
import type { ConversationPolicy } from './policy.ts'
import type { Exchange } from './exchange.ts'
import type { StateName } from '../vocabulary.ts'

export interface ConversationInput {
  conversationId: string
  policy: ConversationPolicy
}

export interface ConversationContext extends ConversationInput {
  /** The policy that counts when the reply that is made or spoken now is over. */
  nextPolicy: ConversationPolicy | null
  said: CallerWords
  voice: VoiceActivity | null
  /** Voice activity that was taken for noise when it was over; its transcript may still come. */
  formerVoice: VoiceActivity | null
  voices: number
  committed: CommittedWords | null
  /** The reply that is made or spoken: only in `generating` and `responding`. */
  reply: Exchange | null
  /** A reply begun ahead of the commit: only in `detecting`. */
  speculation: Exchange | null
  announcements: readonly Announcement[]
  turns: number
  replies: number
  /** The state left last, for STATE_CHANGED. */
  left: StateName | null
}

/** What the detector is asked about. */
export interface DetectorInput {
  conversationId: string
  /** The final transcripts of the turn so far. */
  text: string
}

/** What the assistant will say by itself once nobody speaks. */
export interface Announcement {
  text: string
  protected: boolean
  /** Whoever waits for its outcome. */
  askers: readonly string[]
}

/** A moment that an event or an action brings along. */
export type Timed = { atMs?: number }
/** A transcript. */
export type Transcript = Timed & { text: string; speaker?: string }

/** Who waits for the outcome of what an event brings, if anybody does. */
export type Asked = { asker?: string }

/** The moment an event brings along, if it does. */
export function momentIn(event: ConversationEvent): Timed {
  return 'atMs' in event && event.atMs !== undefined ? { atMs: event.atMs } : {}
}

export function isVoiceOpen(context: ConversationContext): boolean {
  return context.voice !== null && context.voice.endedAtMs === null
}

/** The voice activity that a transcript belongs to: also what ended a moment ago and was taken for noise. */
export function voiceOf({ voice, formerVoice, policy }: ConversationContext, atMs: number): VoiceActivity | null {
  if (voice !== null || formerVoice?.endedAtMs == null) return voice
  return atMs - formerVoice.endedAtMs <= policy.endpointing.maxDelayMs ? formerVoice : null
}

export function nextTurnId(context: ConversationContext): string {
  return `turn-${context.turns + 1}`
}
