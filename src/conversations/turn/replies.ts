import type { Delta, PlaybackReport, ReplyInput, Turn } from '../../../machines/vocabulary.ts'
import type { ConversationContext } from '../../../machines/conversation/machine.ts'
import type { ReplyConversation, ReplyMark } from '../../generation/index.ts'
import type { Logger } from '../../runtime/collaborators/logger.ts'
import { expectedSpeechMs } from '../../speaking/speech-length.ts'
import type { Character } from '../character.ts'
import type { Voice } from '../voice.ts'
import type { Embodiment } from '../world.ts'
import { turnMessages, upToWordsOf } from './messages.ts'
import type { ReplyRecords } from './reply-records.ts'

/** The conversation that replies are made for. */
export interface Replying {
  readonly id: string
  readonly character: Character
  readonly history: readonly Turn[]
  readonly records: ReplyRecords
  readonly voice: Voice
  readonly context: ConversationContext
  /** false: nothing is spoken, so nothing hurries. */
  readonly isSpoken: boolean
  /** The character of a reply that was asked for with something of its own. */
  characterFor(askers: readonly string[]): Character | undefined
  /** A segment was played to its end: so much of the reply has been heard. */
  noteHeard(replyId: string, text: string): void
}

/** What the replies and the player of one conversation ask of it. */
export class Replies implements ReplyConversation, Embodiment {
  readonly #of: Replying
  readonly #logger: Logger | undefined

  constructor(of: Replying, logger: Logger | undefined) {
    this.#of = of
    this.#logger = logger
  }

  get id() {
    return this.#of.id
  }
  get detector() {
    return this.#of.character.detector
  }

  begin(input: ReplyInput): void {
    const { reply } = this.#of.context
    const own = reply?.replyId === input.replyId ? this.#of.characterFor(reply.askers) : undefined
    this.#of.records.begin(input, own)
  }

  characterOf(replyId: string): Character {
    return this.#of.records.open(replyId).character
  }

  show(replyId: string): void {
    this.#of.records.show(replyId)
  }

  messages(input: ReplyInput) {
    const { context, history } = this.#of
    const isAnswer = context.reply?.replyId === input.replyId
    if (input.purpose !== 'speculation' || isAnswer) return turnMessages(upToWordsOf(input.turnId, history))
    return [...turnMessages(history), { role: 'user' as const, content: input.text }]
  }

  onDelta(delta: Delta): void {
    this.#of.records.onDelta(delta)
  }

  onMark(mark: ReplyMark): void {
    const { id: conversationId, records } = this.#of
    records.onMark(mark)
    if (mark.type === 'template-tokens')
      this.#logger?.debug({ conversationId, count: mark.count }, 'template tokens were left out of a reply')
    if (mark.type === 'calls-refused')
      this.#logger?.debug(
        { conversationId, count: mark.count },
        'a model called functions wrongly, and its prompt says so',
      )
  }

  /** What the caller has still to hear of a reply: with the player, or cut and held back. */
  unspokenMs(replyId: string): number {
    const { isSpoken, context, records } = this.#of
    if (!isSpoken) return Number.POSITIVE_INFINITY
    const exchange = [context.reply, context.speculation].find((one) => one?.replyId === replyId)
    const { charMs } = this.characterOf(replyId).settings.segments
    const heldMs = (exchange?.waiting ?? []).reduce((sum, { text }) => sum + expectedSpeechMs(text, charMs), 0)
    return heldMs + records.unspokenMs(replyId)
  }

  openPlayer(replyId: string, report: (event: PlaybackReport) => void) {
    const record = this.#of.records.open(replyId)
    return this.#of.voice.open(record, (event) => {
      if (event.type === 'PLAYBACK_FINISHED') this.#of.noteHeard(replyId, record.ledger.heard())
      report(event)
    })
  }
}
