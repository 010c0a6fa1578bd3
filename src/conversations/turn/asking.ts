import type { ConversationEvent } from '../../../machines/conversation/events.ts'
import type { ConversationContext } from '../../../machines/conversation/machine.ts'
import type { Clock } from '../../../machines/vocabulary.ts'
import type { Report } from '../../runtime/collaborators/report.ts'
import { changesFor, withChanges, type Character, type ReplyChanges } from '../character.ts'
import { checkSignal } from '../given.ts'
import type { EventDesk } from './event-desk.ts'
import type { TurnOutcome } from './outcome.ts'

/** How one typed turn is answered. */
export interface AskOptions extends ReplyChanges {
  /** Who types: the model reads the name where more than one speaks. */
  speaker?: string
  /** Ends the reply to these words, or the wait for it. */
  signal?: AbortSignal
}

/** How the assistant speaks by itself. */
export interface SayOptions {
  /** It plays to its end, whatever the caller says. Default: false. */
  protected?: boolean
}

/** The conversation that turns are asked of. */
export interface Asked {
  readonly character: Character
  readonly desk: EventDesk
  readonly context: ConversationContext
  send(event: ConversationEvent): void
  interrupt(): void
  /** Runs now, or when the conversation is ready to hear. */
  whenReady(run: () => void): void
}

/** Turns that the program begins, and whoever waits for what becomes of them. */
export class Asking {
  readonly #of: Asked
  readonly #host: { clock: Clock; report: Report }
  /** Replies that were asked for with something of their own, by who asked. */
  #owned: Map<string, Character> | undefined

  constructor(of: Asked, host: { clock: Clock; report: Report }) {
    this.#of = of
    this.#host = host
  }

  ask(text: string, options: AskOptions): Promise<TurnOutcome> {
    const { signal, speaker } = options
    checkSignal(signal)
    const own = this.#characterWith(options)
    const { asker, outcome } = this.#of.desk.askFor()
    if (own !== undefined) (this.#owned ??= new Map()).set(asker, own)
    const withdraw = () => this.#withdraw(asker)
    signal?.addEventListener('abort', withdraw, { once: true })
    void outcome.then(() => {
      this.#owned?.delete(asker)
      signal?.removeEventListener('abort', withdraw)
    })
    if (signal?.aborted === true) withdraw()
    else
      this.#of.whenReady(() => {
        this.#of.desk.noteTyped()
        const from = speaker === undefined ? {} : { speaker }
        this.#of.send({ type: 'CALLER_TYPED', text, asker, atMs: this.#host.clock.now(), ...from })
      })
    return outcome
  }

  say(text: string, { protected: isProtected = false }: SayOptions): Promise<TurnOutcome> {
    const { asker, outcome } = this.#of.desk.askFor()
    this.#of.whenReady(() => {
      const atMs = this.#host.clock.now()
      this.#of.send({ type: 'ANNOUNCEMENT_MADE', text, protected: isProtected, asker, atMs })
    })
    return outcome
  }

  /** The character of a reply that was asked for with something of its own. */
  characterFor(askers: readonly string[]): Character | undefined {
    const asker = askers.find((one) => this.#owned?.has(one))
    return asker === undefined ? undefined : this.#owned?.get(asker)
  }

  #characterWith(options: AskOptions): Character | undefined {
    const changes = changesFor(options)
    return Object.keys(changes).length === 0 ? undefined : withChanges(this.#of.character, changes, this.#host)
  }

  /** Whoever asked does not want the answer any more: a reply to these words ends. */
  #withdraw(asker: string): void {
    if (this.#of.context.reply?.askers.includes(asker) === true) this.#of.interrupt()
    this.#of.desk.withdraw(asker)
  }
}
