import type { AmbientVerdict, ConversationEvent } from '../../machines/conversation/events.ts'
import type { Clock, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import { namedAmbientPolicy } from '../listening/ambient-policy.ts'
import { createSpeechParser } from '../listening/parse-speech.ts'
import type { EventDesk } from './turn/event-desk.ts'
import type { ServiceParts } from '../runtime/options.ts'

/** How one conversation hears: what comes is parsed, stamped, and sent to its actor. */
export interface Hearing {
  hear(raw: unknown): void
}

export function createHearing(
  { settings, clock, ambientPolicy }: Pick<ServiceParts, 'settings' | 'clock' | 'ambientPolicy'>,
  conversation: {
    id: string
    desk: EventDesk
    signal: AbortSignal
    history(): readonly Turn[]
    /** When the caller last heard a reply to its end. */
    lastHeardOutAtMs(): number | null
    send(event: ConversationEvent): void
    /** Runs now, or when the conversation is ready to hear. */
    whenReady(run: () => void): void
  },
): Hearing {
  const { id, desk, send } = conversation
  const parse = createSpeechParser(settings.limits.utteranceChars)
  const judge = ambientPolicy ?? namedAmbientPolicy(settings.ambient.policy, settings.ambient.followUpMs)

  function hearAmbient(event: Extract<SpeechEvent, { type: 'AMBIENT_SPEECH_DETECTED' }>): void {
    const lastAtMs = conversation.lastHeardOutAtMs()
    const sinceReplyMs = lastAtMs === null ? null : clock.now() - lastAtMs
    const utterance = { text: event.text, ...(event.speaker === undefined ? {} : { speaker: event.speaker }) }
    const { assistantNames } = settings
    const context = { conversationId: id, history: conversation.history(), assistantNames, sinceReplyMs }
    const decided = (verdict: AmbientVerdict, { atMs } = event) => {
      if (verdict === 'answer') desk.noteSpeech({ ...event, type: 'SPEECH_DETECTED' })
      send({ ...event, ...(atMs === undefined ? {} : { atMs }), verdict })
    }
    const verdict = judge(utterance, context, conversation.signal)
    if (typeof verdict === 'string') decided(verdict)
    else void verdict.then((later) => decided(later, stamped({ ...event, atMs: clock.now() }, clock)))
  }

  return {
    hear(raw) {
      const parsed = parse(raw)
      if (!parsed.ok) return desk.fail({ code: 'bad-input', message: parsed.message, retryable: false })
      const event = stamped(parsed.event, clock)
      // A stop waits for nothing.
      if (event.type === 'SYSTEM_STOPPED') return send(event)
      conversation.whenReady(() => {
        desk.noteSpeech(event)
        if (event.type === 'AMBIENT_SPEECH_DETECTED') hearAmbient(event)
        else send(event)
      })
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
