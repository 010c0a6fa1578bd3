import { Subscription } from 'rxjs'
import type { Clock, PlaybackReport } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import type { Logger } from '../runtime/options.ts'
import { createPlayer, type Player } from '../speaking/player.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import type { ReplyRecord } from './turn/reply-records.ts'

/** Who speaks for a conversation: its usual sink, or the one that took its place for a while. */
export interface Voice {
  /** Throws LlmError `config` where another sink has taken the place already. */
  speakTo(sink: SpeechSink): Subscription
  /** A player for the reply of this record. */
  open(record: ReplyRecord, report: (event: PlaybackReport) => void): Player
}

export function createVoice(options: {
  id: string
  clock: Clock
  logger: Logger | undefined
  usual(): SpeechSink | null
}): Voice {
  const { id, clock, logger } = options
  let own: SpeechSink | undefined

  return {
    speakTo(sink) {
      if (own !== undefined)
        throw new LlmError('config', {
          message:
            'this conversation speaks to a sink already; unsubscribe it first, or use `segments` to listen along',
        })
      own = sink
      return new Subscription(() => (own = undefined))
    },
    open({ ledger, moments, character }, report) {
      return createPlayer({
        sink: () => own ?? options.usual(),
        ledger,
        clock,
        settings: character.settings,
        warn: (message, cause) => logger?.warn({ conversationId: id, cause: String(cause) }, message),
        report(event) {
          if (event.type === 'PLAYBACK_STARTED') moments.firstAudioAtMs ??= clock.now()
          if (event.type === 'PLAYBACK_PAUSED') moments.silentAtMs = clock.now()
          report(event)
        },
      })
    },
  }
}
