import type { AmbientVerdict, ConversationEvent } from '../../machines/conversation/events.ts'
import type { Clock, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import { namedAmbientPolicy } from '../listening/ambient-policy.ts'
import type { Character } from './character.ts'
import type { EventDesk } from './turn/event-desk.ts'

/** The conversation that hears. */
export interface Hearer {
  readonly id: string
  readonly desk: EventDesk
  readonly character: Character
  readonly history: readonly Turn[]
  /** When the caller last heard a reply to its end. */
  readonly lastHeardOutAtMs: number | undefined
  /** Aborts when the conversation leaves. */
  readonly signal: AbortSignal
  send(event: ConversationEvent): void
  /** Runs now, or when the conversation is ready to hear. */
  whenReady(run: () => void): void
}

/** Hears an event that carries its moment: it is judged where it is ambient, and sent to the conversation's actor. */
export function hear(hearer: Hearer, event: SpeechEvent, clock: Clock): void {
  // A stop waits for nothing.
  if (event.type === 'SYSTEM_STOPPED') return hearer.send(event)
  hearer.whenReady(() => {
    hearer.desk.noteSpeech(event)
    if (event.type === 'AMBIENT_SPEECH_DETECTED') hearAmbient(hearer, event, clock)
    else hearer.send(event)
  })
}

function hearAmbient(
  hearer: Hearer,
  event: Extract<SpeechEvent, { type: 'AMBIENT_SPEECH_DETECTED' }>,
  clock: Clock,
): void {
  const { id: conversationId, desk, lastHeardOutAtMs, history } = hearer
  const { settings, ambientPolicy } = hearer.character
  const { assistantNames, ambient } = settings
  const judge = ambientPolicy ?? namedAmbientPolicy(ambient.policy, ambient.followUpMs)
  const sinceReplyMs = lastHeardOutAtMs === undefined ? null : clock.now() - lastHeardOutAtMs
  const utterance = { text: event.text, ...(event.speaker === undefined ? {} : { speaker: event.speaker }) }
  const context = { conversationId, history, assistantNames, sinceReplyMs }
  const decided = (verdict: AmbientVerdict, now: { atMs?: number } = {}) => {
    if (verdict === 'answer') desk.noteSpeech({ ...event, type: 'SPEECH_DETECTED' })
    hearer.send({ ...event, ...now, verdict })
  }
  const verdict = judge(utterance, context, hearer.signal)
  if (typeof verdict === 'string') decided(verdict)
  else void verdict.then((later) => decided(later, { atMs: clock.now() }))
}
