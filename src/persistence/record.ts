/**
 * What a stored conversation says: a log of facts, each line chained to the one before it, and a sealed snapshot.
 *
 *     check(1) = sha256('' + body(1)), check(n) = sha256(check(n - 1) + body(n)), as hex
 *
 * The snapshot names its conversation, the last line and its check, and ends with a seal over its own text. So a line
 * that was changed, lost or added is found out, as is what belongs to another conversation. Against accidents and clumsy
 * hands: there is no key.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Turn } from '../../machines/vocabulary.ts'
import { JsonValue } from './json-value.ts'
import { foldHistory } from '../history/fold-history.ts'
import type { StoredConversation, StoredLine } from './store.ts'

/** What a conversation must know to go on where an earlier run left it. */
export interface Remembered {
  history: readonly Turn[]
  counters: Counters
  /** The reply that was being made or spoken: what was heard of it. */
  unfinished?: Unfinished
}

/** What ids are counted from. */
export interface Counters {
  turns: number
  replies: number
}

export interface Unfinished {
  turnId: string
  replyId: string
  heard: string
}

/** Where the next line goes on. */
export interface Place {
  seq: number
  check: string
}

export const beginning: Place = { seq: 0, check: '' }

const format = 1
const count = z.number().int().min(0)

const Snapshot = z.strictObject({
  format: z.literal(format),
  conversationId: z.string(),
  seq: count,
  check: z.string(),
  // Earlier versions counted typed turns apart, as `begun`.
  counters: z.object({ turns: count, replies: count }),
  unfinished: z.strictObject({ turnId: z.string(), replyId: z.string(), heard: z.string() }).exactOptional(),
})

const turnId = z.string()
const text = z.string()
const speaker = z.string().exactOptional()
const call = { id: z.string(), name: z.string(), arguments: JsonValue }
const callPlace = { round: count.exactOptional(), index: count.exactOptional(), saidChars: count.exactOptional() }
const outcome = z.enum(['done', 'failed', 'aborted'])
/** An entry of history, as it is kept. */
export const StoredTurn = z.object({
  role: z.enum(['user', 'assistant', 'tool']),
  text,
  interrupted: z.literal(true).exactOptional(),
  speaker,
  turnId: turnId.exactOptional(),
  call: z.object(call).exactOptional(),
  outcome: outcome.exactOptional(),
  ...callPlace,
})

/** The facts that history is folded from, and the history that a program gave when the conversation began. */
const facts = {
  CALLER_TURN_ENDED: z.object({ type: z.literal('CALLER_TURN_ENDED'), turnId, text, speaker }),
  TOOL_CALLED: z.object({ type: z.literal('TOOL_CALLED'), turnId, ...call, ...callPlace, result: text, outcome }),
  RESPONSE_FINISHED: z.object({ type: z.literal('RESPONSE_FINISHED'), turnId, heard: text }),
  RESPONSE_INTERRUPTED: z.object({ type: z.literal('RESPONSE_INTERRUPTED'), turnId, heard: text }),
  ERROR_OCCURRED: z.object({
    type: z.literal('ERROR_OCCURRED'),
    turnId: turnId.exactOptional(),
    heard: text.exactOptional(),
  }),
  AMBIENT_SPEECH_IGNORED: z.object({ type: z.literal('AMBIENT_SPEECH_IGNORED'), kept: text.exactOptional(), speaker }),
  HISTORY_GIVEN: z.object({ type: z.literal('HISTORY_GIVEN'), history: z.array(StoredTurn) }),
}
const Fact = z.union(Object.values(facts))
const Line = z.looseObject({ type: z.string() })

/** The line after `place`. */
export function chainLine<Fact extends { type: string }>(place: Place, fact: Fact): StoredLine {
  const body = JSON.stringify(fact)
  return { seq: place.seq + 1, body, check: digest(place.check + body) }
}

export function sealSnapshot(
  conversationId: string,
  { seq, check }: Place,
  counters: Counters,
  unfinished: Unfinished | undefined,
): string {
  const facts = { format, conversationId, seq, check, counters, ...(unfinished === undefined ? {} : { unfinished }) }
  return JSON.stringify({ ...facts, seal: digest(JSON.stringify(facts)) })
}

export type StoredConversationRead =
  | { ok: true; remembered: Remembered; place: Place }
  /** `isNewer`: nothing is wrong with it, but it takes a newer version to read it. */
  | { ok: false; reason: string; isNewer?: true }

/** Reads what a store loaded, or says in a few words why it cannot be trusted. Throws nothing. */
export function readStoredConversation(conversationId: string, stored: StoredConversation): StoredConversationRead {
  const written = parseJson(stored.snapshot)
  if (typeof written !== 'object' || written === null || !('seal' in written)) return refuse('its snapshot is no JSON')
  const { seal, ...unsealed } = written
  const { format: version } = { format: undefined, ...unsealed }
  if (typeof version === 'number' && version > format) {
    return { ...refuse('it was written by a newer colloquy'), isNewer: true }
  }
  if (digest(JSON.stringify(unsealed)) !== seal) return refuse('its snapshot was changed')
  const snapshot = Snapshot.safeParse(unsealed)
  if (!snapshot.success) return refuse('its snapshot has an unknown form')
  const { seq, check, counters, unfinished } = snapshot.data
  if (snapshot.data.conversationId !== conversationId) return refuse('it belongs to another conversation')
  let place = beginning
  const history: Turn[] = []
  for (const line of stored.lines) {
    if (line.seq !== place.seq + 1) return refuse(`line ${place.seq + 1} of its log is missing`)
    if (line.check !== digest(place.check + line.body)) return refuse(`line ${line.seq} of its log was changed`)
    const turns = turnsOf(line.body)
    if (turns === undefined) return refuse(`line ${line.seq} of its log has an unknown form`)
    history.push(...turns)
    place = { seq: line.seq, check: line.check }
  }
  if (place.seq !== seq || place.check !== check) return refuse('its snapshot belongs to another log')
  return { ok: true, place, remembered: { history, counters, ...(unfinished === undefined ? {} : { unfinished }) } }
}

/** What a line adds to history, which only grows. What a newer version may have added to the log is no turn. */
function turnsOf(body: string): readonly Turn[] | undefined {
  const line = Line.safeParse(parseJson(body))
  if (!line.success) return undefined
  if (!Object.hasOwn(facts, line.data.type)) return []
  const fact = Fact.safeParse(line.data)
  if (!fact.success) return undefined
  return fact.data.type === 'HISTORY_GIVEN' ? fact.data.history : foldHistory([], fact.data)
}

function refuse(reason: string): { ok: false; reason: string } {
  return { ok: false, reason }
}

function parseJson(written: string): unknown {
  try {
    return JSON.parse(written)
  } catch {
    return undefined
  }
}

function digest(written: string): string {
  return createHash('sha256').update(written).digest('hex')
}
