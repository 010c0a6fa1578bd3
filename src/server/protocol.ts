import { z } from 'zod'
import type { Delta, Milliseconds, Segment, ServiceEvent, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import type { TurnOutcome } from '../index.ts'

/** The wire's version, said by both sides in `hello`. A client of another version is refused in words. */
export const protocolVersion = 1

const conversationId = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}]*$/u, { error: 'holds control characters' })
const byDefault = conversationId.default('default')
const atMs = z.number().optional()
const speaker = z.string().max(200).optional()
const segmentOf = { conversationId: byDefault, replyId: z.string().max(300), index: z.number().int().min(0) }

/**
 * What a client may say. Names in capitals are the facts of a conversation, small ones belong to the wire. Nothing
 * unknown passes: a slip in a field's name is told and not guessed at.
 */
export function clientMessages(utteranceChars: number) {
  const text = z.string().max(utteranceChars, { error: `is longer than limits.utteranceChars (${utteranceChars})` })
  return z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('hello'), v: z.number(), token: z.string().max(1_000).optional() }),
    z.strictObject({ type: z.literal('open'), conversationId: byDefault }),
    z.strictObject({ type: z.literal('leave'), conversationId: byDefault }),
    z.strictObject({
      type: z.literal('ask'),
      conversationId: byDefault,
      text: text.refine((words) => words.trim() !== '', { error: 'is empty; give at least one word' }),
      id: z.string().max(200).optional(),
    }),
    z.strictObject({ type: z.literal('interrupt'), conversationId: byDefault }),
    z.strictObject({ type: z.literal('take-voice'), conversationId: byDefault, canPause: z.boolean().default(false) }),
    z.strictObject({ type: z.literal('drop-voice'), conversationId: byDefault }),
    z.strictObject({ type: z.literal('started'), ...segmentOf }),
    z.strictObject({ type: z.literal('progressed'), ...segmentOf, chars: z.number().min(0) }),
    z.strictObject({ type: z.literal('finished'), ...segmentOf }),
    z.strictObject({ type: z.literal('failed'), ...segmentOf }),
    z.strictObject({ type: z.literal('SPEECH_STARTED'), conversationId: byDefault, atMs }),
    z.strictObject({ type: z.literal('SPEECH_PARTIAL'), conversationId: byDefault, atMs, text }),
    z.strictObject({ type: z.literal('SPEECH_DETECTED'), conversationId: byDefault, atMs, text, speaker }),
    z.strictObject({ type: z.literal('SPEECH_ENDED'), conversationId: byDefault, atMs }),
    z.strictObject({ type: z.literal('AMBIENT_SPEECH_DETECTED'), conversationId: byDefault, atMs, text, speaker }),
    z.strictObject({ type: z.literal('SYSTEM_STOPPED'), conversationId: byDefault, atMs }),
  ])
}

export type ClientMessage = z.output<ReturnType<typeof clientMessages>>
export type Acknowledgement = Extract<ClientMessage, { type: 'started' | 'progressed' | 'finished' | 'failed' }>

/** Who answers, and what a newcomer should know about it. */
export interface Answering {
  /** `configured`, `ollama`, `embedded`; `scripted` is no language model. */
  kind: 'configured' | 'ollama' | 'embedded' | 'scripted'
  /** Of the model asked first, where one is known. */
  model?: string
  isLanguageModel: boolean
  /** For people: what is missing and what to do about it. */
  notice?: string
}

/** One line of the list of conversations. */
export interface ConversationLine {
  conversationId: string
  state: string
  turns: number
}

/** An actor of a conversation, as its chart shows it. */
export interface ChartState {
  conversationId: string
  chart: 'conversation' | 'reply'
  /** Ids of the active states, outermost first, as in `/charts.json`. */
  active: string[]
  /** The transition that led here; absent when the actor began. */
  last?: { event: string; from: string; to: string }
  atMs: Milliseconds
}

type Addressed = { conversationId: string }

/** What the server says. Facts of a conversation come as they are (`ServiceEvent`, `SpeechEvent`). */
export type ServerMessage =
  | {
      type: 'hello'
      v: typeof protocolVersion
      version: string
      answering: Answering
      limits: { utteranceChars: number; messageBytes: number }
      atMs: Milliseconds
    }
  | { type: 'conversations'; conversations: ConversationLine[] }
  | (Addressed & {
      type: 'conversation'
      state: string
      history: readonly Turn[]
      voice: boolean
      charts: ChartState[]
    })
  | ({ type: 'chart' } & ChartState)
  | (Addressed & { type: 'delta'; atMs: Milliseconds } & Delta)
  | (Addressed & { type: 'outcome'; id?: string; outcome: TurnOutcome })
  /** To the voice alone. */
  | (Addressed & { type: 'play' | 'prepare'; segment: Segment })
  | (Addressed & { type: 'silence'; replyId: string; index: number })
  | (Addressed & { type: 'pause' | 'resume' })
  /** To all: what the voice acknowledged, and whether there is one. */
  | (Addressed & { type: 'played'; replyId: string; index: number; chars: number; atMs: Milliseconds })
  | (Addressed & { type: 'voice'; taken: boolean })
  | SpeechEvent
  | ServiceEvent
