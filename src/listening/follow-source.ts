import type { Observable, Subscription } from 'rxjs'
import type { Clock, SpeechEvent } from '../../machines/vocabulary.ts'
import type { SpeechParser } from './parse-speech.ts'
import { createStamps } from './stamps.ts'

/**
 * Listens to one speech source. Each event is parsed and put on the service's clock. A source that completes, errors or
 * is let go while a voice is open ends that voice: nobody else would.
 *
 *     source  --SPEECH_STARTED--SPEECH_DETECTED--x
 *     heard   --SPEECH_STARTED--SPEECH_DETECTED--SPEECH_ENDED
 */
export function followSource(
  source: Observable<unknown>,
  conversation: {
    parse: SpeechParser
    clock: Clock
    hear(event: SpeechEvent): void
    refuse(message: string): void
    /** The source errored. */
    fail(thrown: unknown): void
  },
): Subscription {
  const stamp = createStamps(conversation.clock)
  let isVoiceOpen = false

  function hear(raw: unknown): void {
    const parsed = conversation.parse(raw)
    if (!parsed.ok) return conversation.refuse(parsed.message)
    if (parsed.event.type === 'SPEECH_STARTED') isVoiceOpen = true
    if (parsed.event.type === 'SPEECH_ENDED') isVoiceOpen = false
    conversation.hear(stamp(parsed.event))
  }

  function endVoice(): void {
    if (!isVoiceOpen) return
    isVoiceOpen = false
    conversation.hear({ type: 'SPEECH_ENDED', atMs: conversation.clock.now() })
  }

  const following = source.subscribe({
    next: hear,
    error: conversation.fail,
  })
  following.add(endVoice)
  return following
}
