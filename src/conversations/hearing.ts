import type { AmbientVerdict, ConversationEvent } from '../../machines/conversation/events.ts'
import type { Clock, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import { namedAmbientPolicy } from '../listening/ambient-policy.ts'
import type { SpeechParser } from '../listening/parse-speech.ts'
import type { Logger } from '../runtime/options.ts'
import type { Character } from './character.ts'
import type { EventDesk } from './turn/event-desk.ts'

/** How one conversation hears: what comes is parsed, stamped, and sent to its actor. */
export interface Hearing {
  hear(raw: unknown): void
  /** What was parsed already. */
  take(event: SpeechEvent): void
}

export function createHearing(conversation: {
  id: string
  clock: Clock
  logger: Logger | undefined
  parse: SpeechParser
  desk: EventDesk
  character(): Character
  signal(): AbortSignal
  history(): readonly Turn[]
  /** When the caller last heard a reply to its end. */
  lastHeardOutAtMs(): number | null
  send(event: ConversationEvent): void
  /** Runs now, or when the conversation is ready to hear. */
  whenReady(run: () => void): void
}): Hearing {
  const { id, clock, logger, parse, desk, send } = conversation

  function hearAmbient(event: Extract<SpeechEvent, { type: 'AMBIENT_SPEECH_DETECTED' }>): void {
    const lastAtMs = conversation.lastHeardOutAtMs()
    const sinceReplyMs = lastAtMs === null ? null : clock.now() - lastAtMs
    const utterance = { text: event.text, ...(event.speaker === undefined ? {} : { speaker: event.speaker }) }
    const { settings, ambientPolicy } = conversation.character()
    const { assistantNames, ambient } = settings
    const judge = ambientPolicy ?? namedAmbientPolicy(ambient.policy, ambient.followUpMs)
    const context = { conversationId: id, history: conversation.history(), assistantNames, sinceReplyMs }
    const broke = (error: unknown) => {
      logger?.warn({ conversationId: id, error: String(error) }, 'the ambient policy threw; the speech is ignored')
      send({ ...event, verdict: 'ignore' })
    }
    const decided = (verdict: AmbientVerdict, { atMs } = event) => {
      if (verdict === 'answer') desk.noteSpeech({ ...event, type: 'SPEECH_DETECTED' })
      send({ ...event, ...(atMs === undefined ? {} : { atMs }), verdict })
    }
    try {
      const verdict = judge(utterance, context, conversation.signal())
      if (typeof verdict === 'string') decided(verdict)
      else verdict.then((later) => decided(later, stamped({ ...event, atMs: clock.now() }, clock)), broke)
    } catch (error) {
      broke(error)
    }
  }

  function take(given: SpeechEvent): void {
    const event = stamped(given, clock)
    // A stop waits for nothing.
    if (event.type === 'SYSTEM_STOPPED') return send(event)
    conversation.whenReady(() => {
      desk.noteSpeech(event)
      if (event.type === 'AMBIENT_SPEECH_DETECTED') hearAmbient(event)
      else send(event)
    })
  }

  return {
    take,
    hear(raw) {
      const parsed = parse(raw)
      if (parsed.ok) take(parsed.event)
      else desk.fail({ code: 'bad-input', message: parsed.message, retryable: false })
    },
  }
}

/** A source that stamps its events may lag this much; what claims to be older is stamped on arrival. */
const longestLagMs = 10_000

/** Stamped on arrival; a source may say that it happened a little earlier. */
function stamped<Event extends { atMs?: number }>(event: Event, clock: Clock): Event {
  const nowMs = clock.now()
  const isPlausible = event.atMs !== undefined && event.atMs <= nowMs && event.atMs > nowMs - longestLagMs
  return isPlausible ? event : { ...event, atMs: nowMs }
}
