import { Subscription } from 'rxjs'
import type { Clock, PlaybackReport } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import type { Logger } from '../runtime/options.ts'
import { createPlayer, type Player } from '../speaking/player.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import type { ReplyRecord } from './turn/reply-records.ts'

/** Who speaks for a conversation: its usual sink, or the one that took its place for a while. */
export class Voice {
  readonly #options: { id: string; clock: Clock; logger: Logger | undefined; usual(): SpeechSink | null }
  #own: SpeechSink | undefined

  constructor(options: { id: string; clock: Clock; logger: Logger | undefined; usual(): SpeechSink | null }) {
    this.#options = options
  }

  /** Throws LlmError `config` where another sink has taken the place already. */
  speakTo(sink: SpeechSink): Subscription {
    if (this.#own !== undefined)
      throw new LlmError('config', {
        message: 'this conversation speaks to a sink already; unsubscribe it first, or use `segments` to listen along',
      })
    this.#own = sink
    return new Subscription(() => (this.#own = undefined))
  }

  /** A player for the reply of this record. */
  open({ ledger, moments, character }: ReplyRecord, report: (event: PlaybackReport) => void): Player {
    const { id, clock, logger, usual } = this.#options
    return createPlayer({
      sink: () => this.#own ?? usual(),
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
  }
}
