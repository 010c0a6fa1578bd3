import { Subject, type Observable } from 'rxjs'
import type { Clock, Delta, Timings } from '../../machines/vocabulary.ts'
import type { ReplyMark } from '../generation/types.ts'
import type { Settings } from '../config/config.ts'
import { createLedger, type Ledger } from '../speaking/ledger.ts'
import { timingsOf, type TurnMoments } from './turn-timings.ts'

/** What the runtime keeps of one reply beside the chart: what was heard of it, and its moments. */
export interface ReplyRecord {
  readonly replyId: string
  readonly ledger: Ledger
  readonly moments: TurnMoments
}

/** The replies of one conversation that are not over: at most one, and a speculation. */
export interface ReplyRecords {
  /** The record of a reply that begins. */
  open(replyId: string): ReplyRecord
  find(replyId: string): ReplyRecord | undefined
  /** Passes on the deltas of replies that are not over. */
  onDelta(delta: Delta): void
  onMark(mark: ReplyMark): void
  /** Drops every record but those of the replies named. */
  keepOnly(replyIds: readonly (string | undefined)[]): void
  timings(replyId: string): Timings
  readonly deltas: Observable<Delta>
  close(): void
}

export function createReplyRecords({ clock, settings }: { clock: Clock; settings: Settings }): ReplyRecords {
  const records = new Map<string, ReplyRecord>()
  const deltas = new Subject<Delta>()

  const open = (replyId: string): ReplyRecord => {
    const known = records.get(replyId)
    if (known) return known
    const ledger = createLedger(settings.segments.charMs)
    const record: ReplyRecord = { replyId, ledger, moments: {} }
    records.set(replyId, record)
    return record
  }

  return {
    open,
    find: (replyId) => records.get(replyId),
    onDelta(delta) {
      if (records.has(delta.replyId)) deltas.next(delta)
    },
    onMark(mark) {
      const record = records.get(mark.replyId)
      if (record) noteMark(record.moments, mark)
    },
    keepOnly(replyIds) {
      for (const replyId of records.keys()) {
        if (!replyIds.includes(replyId)) records.delete(replyId)
      }
    },
    timings: (replyId) => timingsOf(records.get(replyId)?.moments ?? {}, clock),
    deltas: deltas.asObservable(),
    close() {
      records.clear()
      deltas.complete()
    },
  }
}

/** Marks of a later attempt replace those of an earlier one. */
function noteMark(moments: TurnMoments, mark: ReplyMark): void {
  switch (mark.type) {
    case 'queued':
      moments.queuedAtMs = mark.atMs
      break
    case 'slot-granted':
      moments.queueMs = mark.atMs - (moments.queuedAtMs ?? mark.atMs)
      break
    case 'first-token':
      moments.firstTokenAtMs = mark.atMs
      break
    case 'ended':
      if (mark.loadMs !== undefined) moments.loadMs = mark.loadMs
      if (mark.promptMs !== undefined) moments.promptMs = mark.promptMs
      if (mark.replyMs !== undefined) moments.replyMs = mark.replyMs
      if (mark.usage.replyTokens !== undefined) moments.replyTokens = mark.usage.replyTokens
      break
    case 'connected':
    case 'first-segment':
    case 'prompt':
    case 'template-tokens':
      break
  }
}
