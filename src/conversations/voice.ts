import { Subscription } from 'rxjs'
import type { Clock, Failure, PlaybackReport } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { checkSink, guardSink } from '../runtime/collaborators/sink.ts'
import { createPlayer, type Player } from '../speaking/player.ts'
import type { GuardedSink, SpeechSink } from '../speaking/sink.ts'
import type { ReplyRecord } from './turn/reply-records.ts'

export interface VoiceOptions {
  clock: Clock
  /** The sink of the conversation's character. */
  usual(): SpeechSink | undefined
  /** A method of the sink failed, and the reply goes on. */
  failed(failure: Failure, cause: unknown): void
  /** Why a segment cannot be played, for the log. */
  noted(message: string, cause: unknown): void
}

/** Who speaks for a conversation: its usual sink, or the one that took its place for a while. */
export class Voice {
  readonly #options: VoiceOptions
  #own: SpeechSink | undefined
  /** The sink that speaks, behind its guard: made when it speaks first. */
  #guarded: { sink: SpeechSink; guarded: GuardedSink } | undefined

  constructor(options: VoiceOptions) {
    this.#options = options
  }

  /** Throws LlmError `config` where another sink has taken the place already. */
  speakTo(sink: SpeechSink): Subscription {
    if (this.#own !== undefined)
      throw new LlmError('config', {
        message: 'this conversation speaks to a sink already; unsubscribe it first, or use `segments` to listen along',
      })
    checkSink(sink)
    this.#own = sink
    return new Subscription(() => (this.#own = undefined))
  }

  /** A player for the reply of this record. */
  open({ ledger, moments, character }: ReplyRecord, report: (event: PlaybackReport) => void): Player {
    const { clock } = this.#options
    return createPlayer({
      sink: () => this.#speaking(),
      ledger,
      clock,
      settings: character.settings,
      report(event) {
        if (event.type === 'PLAYBACK_STARTED') moments.firstAudioAtMs ??= clock.now()
        if (event.type === 'PLAYBACK_PAUSED') moments.silentAtMs = clock.now()
        report(event)
      },
    })
  }

  #speaking(): GuardedSink | null {
    const sink = this.#own ?? this.#options.usual()
    if (sink === undefined) return null
    if (this.#guarded?.sink !== sink) this.#guarded = { sink, guarded: guardSink(sink, this.#options) }
    return this.#guarded.guarded
  }
}
