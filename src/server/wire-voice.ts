import { Observable, type Subscriber } from 'rxjs'
import { LlmError, type Playback, type Segment, type SpeechSink } from '../index.ts'
import type { Acknowledgement, ServerMessage } from './protocol.ts'

export interface WireVoiceOptions {
  conversationId: string
  canPause: boolean
  /** To the client that is the voice. */
  send(message: ServerMessage): void
  /** Told of every acknowledgement that counts, so that others can show what is heard. */
  onPlayed(segment: Segment, chars: number): void
}

/** A sink whose loudspeaker is on the other side of the wire. */
export interface WireVoice {
  readonly sink: SpeechSink
  /** Of a segment that is not playing it is ignored: it may have crossed a silence on the way. */
  acknowledge(message: Acknowledgement): void
  /** The client has gone: what is playing fails as a sink does. */
  leave(): void
}

export function createWireVoice({ conversationId, canPause, send, onPlayed }: WireVoiceOptions): WireVoice {
  let current: { segment: Segment; subscriber: Subscriber<Playback> } | null = null

  const play = (segment: Segment) =>
    new Observable<Playback>((subscriber) => {
      const mine = { segment, subscriber }
      current = mine
      send({ type: 'play', conversationId, segment })
      return () => {
        if (current !== mine) return
        current = null
        send({ type: 'silence', conversationId, replyId: segment.replyId, index: segment.index })
      }
    })

  const sink: SpeechSink = {
    play,
    prepare: (segment) => send({ type: 'prepare', conversationId, segment }),
    ...(canPause
      ? {
          pause: () => send({ type: 'pause', conversationId }),
          resume: () => send({ type: 'resume', conversationId }),
        }
      : {}),
  }

  return {
    sink,
    acknowledge(message) {
      if (current === null) return
      const { segment, subscriber } = current
      if (message.replyId !== segment.replyId || message.index !== segment.index) return
      switch (message.type) {
        case 'started':
          onPlayed(segment, 0)
          return subscriber.next({ type: 'started' })
        case 'progressed':
          onPlayed(segment, Math.min(message.chars, segment.text.length))
          return subscriber.next({ type: 'progressed', chars: message.chars })
        case 'finished':
          // Forgotten first: the segment is over, nothing needs to be silenced.
          current = null
          onPlayed(segment, segment.text.length)
          subscriber.next({ type: 'finished' })
          return subscriber.complete()
        case 'failed':
          current = null
          return subscriber.error(new LlmError('sink', { message: 'the voice of the page failed; turn it on again' }))
      }
    },
    leave() {
      const silenced = current
      current = null
      silenced?.subscriber.error(new LlmError('sink', { message: 'the voice left in mid-speech; connect it again' }))
    },
  }
}
