import { Subject, type Observable } from 'rxjs'
import type { Clock, Delta, PromptMetrics, ReplyInput, Timings, Usage } from '../../../machines/vocabulary.ts'
import { holdDeltas, type ReplyMark } from '../../generation/index.ts'
import type { Character } from '../character.ts'
import { createLedger, type Ledger } from '../../speaking/ledger.ts'
import { timingsOf, type TurnMoments } from './timings.ts'

/** What the runtime keeps of one reply beside the chart: what was heard of it, and its moments. */
export interface ReplyRecord {
  readonly replyId: string
  /** What the conversation was like when the reply began: later changes are for later replies. */
  readonly character: Character
  readonly ledger: Ledger
  readonly moments: TurnMoments
  prompt?: PromptMetrics
  /** What the newest attempt has said so far. */
  text: string
  attempt: number
}

/** The replies of one conversation that are not over: at most one, and a speculation. */
export interface ReplyRecords {
  /** The record of a reply that begins. */
  open(replyId: string): ReplyRecord
  find(replyId: string): ReplyRecord | undefined
  /** A reply begins: the deltas of a speculation are held back until it is shown. */
  begin(input: ReplyInput): void
  show(replyId: string): void
  /** Passes on the deltas of replies that are not over. */
  onDelta(delta: Delta): void
  onMark(mark: ReplyMark): void
  /** Drops every record but those of the replies named. */
  keepOnly(replyIds: readonly (string | undefined)[]): void
  timings(replyId: string): Timings
  /** What the prompt cost, where a model was asked. */
  promptOf(replyId: string): { prompt?: PromptMetrics }
  readonly deltas: Observable<Delta>
  close(): void
}

export function createReplyRecords({ clock, character }: { clock: Clock; character(): Character }): ReplyRecords {
  const records = new Map<string, ReplyRecord>()
  const deltas = new Subject<Delta>()

  const open = (replyId: string): ReplyRecord => {
    const known = records.get(replyId)
    if (known) return known
    const now = character()
    const ledger = createLedger(now.settings.segments.charMs)
    const record: ReplyRecord = { replyId, character: now, ledger, moments: {}, text: '', attempt: 0 }
    records.set(replyId, record)
    return record
  }

  const hold = holdDeltas((delta) => {
    const record = records.get(delta.replyId)
    if (record === undefined) return
    if (delta.attempt > record.attempt) record.text = ''
    record.attempt = Math.max(record.attempt, delta.attempt)
    if (delta.kind === 'text') record.text += delta.text
    deltas.next(delta)
  })

  return {
    open,
    find: (replyId) => records.get(replyId),
    begin(input) {
      open(input.replyId)
      hold.begin(input)
    },
    show: hold.show,
    onDelta: hold.onDelta,
    onMark(mark) {
      const record = records.get(mark.replyId)
      if (record) noteMark(record, mark)
    },
    keepOnly(replyIds) {
      for (const replyId of records.keys()) {
        if (!replyIds.includes(replyId)) records.delete(replyId)
      }
    },
    timings: (replyId) => timingsOf(records.get(replyId)?.moments ?? {}, clock),
    promptOf(replyId) {
      const prompt = records.get(replyId)?.prompt
      return prompt === undefined ? {} : { prompt }
    },
    deltas: deltas.asObservable(),
    close() {
      records.clear()
      deltas.complete()
    },
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
