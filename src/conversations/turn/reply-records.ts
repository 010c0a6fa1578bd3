import { Subject, type Observable } from 'rxjs'
import type {
  Clock,
  Delta,
  Milliseconds,
  PromptMetrics,
  ReplyInput,
  Timings,
  Usage,
} from '../../../machines/vocabulary.ts'
import { holdDeltas, type DeltaHold, type ReplyMark } from '../../generation/index.ts'
import type { Character } from '../character.ts'
import { createLedger, type Ledger } from '../../speaking/ledger.ts'
import { timingsOf, type TurnMoments } from './timings.ts'

/** What the runtime keeps of one reply beside the chart: what was heard of it, and its moments. */
export interface ReplyRecord {
  readonly replyId: string
  /** What the conversation was like when the reply began: later changes are for later replies. */
  character: Character
  readonly ledger: Ledger
  readonly moments: TurnMoments
  prompt?: PromptMetrics
  /** What the newest attempt has said so far. */
  text: string
  attempt: number
}

/** The replies of one conversation that are not over: at most one, and a speculation. */
export class ReplyRecords {
  readonly #clock: Clock
  readonly #character: () => Character
  readonly #records = new Map<string, ReplyRecord>()
  readonly #deltas = new Subject<Delta>()
  /** Made with the first reply. */
  #hold: DeltaHold | undefined

  constructor(clock: Clock, character: () => Character) {
    this.#clock = clock
    this.#character = character
  }

  get deltas(): Observable<Delta> {
    return this.#deltas
  }

  /** The record of a reply that begins. */
  open(replyId: string): ReplyRecord {
    const known = this.#records.get(replyId)
    if (known) return known
    const character = this.#character()
    const ledger = createLedger(character.settings.segments.charMs)
    const record: ReplyRecord = { replyId, character, ledger, moments: {}, text: '', attempt: 0 }
    this.#records.set(replyId, record)
    return record
  }

  find(replyId: string): ReplyRecord | undefined {
    return this.#records.get(replyId)
  }

  /** A reply begins: the deltas of a speculation are held back until it is shown. */
  begin(input: ReplyInput, own?: Character): void {
    const record = this.open(input.replyId)
    if (own !== undefined) record.character = own
    this.#hold ??= holdDeltas((delta) => this.#pass(delta))
    this.#hold.begin(input)
  }

  show(replyId: string): void {
    this.#hold?.show(replyId)
  }

  /** Passes on the deltas of replies that are not over. */
  onDelta(delta: Delta): void {
    if (this.#hold === undefined) this.#pass(delta)
    else this.#hold.onDelta(delta)
  }

  onMark(mark: ReplyMark): void {
    const record = this.#records.get(mark.replyId)
    if (record) noteMark(record, mark)
  }

  /** Drops every record but those of the replies named. */
  keepOnly(replyIds: readonly (string | undefined)[]): void {
    for (const replyId of this.#records.keys()) {
      if (!replyIds.includes(replyId)) this.#records.delete(replyId)
    }
  }

  /** What the sink has still to play of a reply. */
  unspokenMs(replyId: string): Milliseconds {
    return this.find(replyId)?.ledger.unspokenMs(this.#clock.now()) ?? 0
  }

  timings(replyId: string): Timings {
    return timingsOf(this.#records.get(replyId)?.moments ?? {}, this.#clock)
  }

  /** What the prompt cost, where a model was asked. */
  promptOf(replyId: string): { prompt?: PromptMetrics } {
    const prompt = this.#records.get(replyId)?.prompt
    return prompt === undefined ? {} : { prompt }
  }

  close(): void {
    this.#records.clear()
    this.#deltas.complete()
  }

  #pass(delta: Delta): void {
    const record = this.#records.get(delta.replyId)
    if (record === undefined) return
    if (delta.attempt > record.attempt) record.text = ''
    record.attempt = Math.max(record.attempt, delta.attempt)
    if (delta.kind === 'text') record.text += delta.text
    this.#deltas.next(delta)
  }
}

/** Marks of a later attempt replace those of an earlier one. */
function noteMark(record: ReplyRecord, mark: ReplyMark): void {
  const { moments } = record
  switch (mark.type) {
    case 'queued':
      moments.queuedAtMs = mark.atMs
      break
    case 'slot-granted':
      // A reply with functions waits for a slot before each of its requests, or finds it free.
      moments.queueMs = (moments.queueMs ?? 0) + mark.atMs - (moments.queuedAtMs ?? mark.atMs)
      delete moments.queuedAtMs
      break
    case 'first-token':
      moments.firstTokenAtMs = mark.atMs
      break
    case 'ended':
      if (mark.loadMs !== undefined) moments.loadMs = mark.loadMs
      if (mark.promptMs !== undefined) moments.promptMs = mark.promptMs
      if (mark.replyMs !== undefined) moments.replyMs = mark.replyMs
      if (mark.usage.replyTokens !== undefined) moments.replyTokens = mark.usage.replyTokens
      if (record.prompt) record.prompt = withUsage(record.prompt, mark.usage)
      break
    case 'prompt': {
      const { estimatedTokens, contextTokens, evictedMessages } = mark
      record.prompt = { estimatedTokens, contextTokens, evictedMessages }
      break
    }
    case 'connected':
    case 'first-segment':
    case 'template-tokens':
    case 'calls-refused':
      break
  }
}

/** Servers count a prompt with or without what they had cached (Ollama without before 0.30); never below zero. */
function withUsage(prompt: PromptMetrics, { promptTokens, cachedPromptTokens }: Usage): PromptMetrics {
  if (promptTokens === undefined) return prompt
  if (cachedPromptTokens === undefined) return { ...prompt, evaluatedTokens: promptTokens }
  const evaluatedTokens = Math.max(0, promptTokens - cachedPromptTokens)
  const prefixHitRate = promptTokens === 0 ? 0 : Math.min(1, cachedPromptTokens / promptTokens)
  return { ...prompt, evaluatedTokens, cachedTokens: cachedPromptTokens, prefixHitRate }
}
