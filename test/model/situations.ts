/**
 * What the exhaustive walk over the conversation chart sends, and when it takes two situations for one.
 *
 * The projection keeps everything that a guard looks at and drops what only counts or measures: ids, serials, moments
 * (kept as order: before or after), words beyond the last (kept as classes), how often something happened (none, one,
 * more). The walk goes on from the first situation of each class that it meets.
 */
import type { SnapshotFrom } from 'xstate'
import { isComplete, turnText } from '../../machines/conversation/caller-words.ts'
import type { conversationMachine, ConversationContext, ConversationEvent } from '../../machines/index.ts'
import { saysOnly } from '../../machines/words.ts'
import { aSegment } from '../support/a-segment.ts'

export type Situation = SnapshotFrom<typeof conversationMachine>

/** What a reply may still say: the current one, the speculation, and one that is long gone. */
const goneReply = 'reply-0'

let asked = 0
/** Each its own, so that one who is lost on the way shows. */
const nextAsker = () => `asker-${(asked += 1)}`

/** Whoever waits for an outcome in this situation. */
export function askersIn({ context: { said, reply, announcements } }: Situation): string[] {
  return [said, reply, ...announcements].flatMap((one) => one?.askers ?? [])
}

/** Everything that may happen in a situation. Moments go on by 10 ms, or by as long as makes a difference. */
export function alphabet(situation: Situation, { announces }: { announces: boolean }): ConversationEvent[] {
  const { context } = situation
  const now = latest(context) + 10
  const later = now + 600
  const replyIds = [context.reply?.replyId, context.speculation?.replyId, goneReply].filter((id) => id !== undefined)
  return [
    { type: 'SPEECH_STARTED', atMs: now },
    { type: 'SPEECH_ENDED', atMs: now },
    { type: 'SPEECH_ENDED', atMs: later },
    ...['hello', 'morning', 'yes', ' '].map((text) => ({ type: 'SPEECH_PARTIAL' as const, text, atMs: now })),
    { type: 'SPEECH_PARTIAL', text: 'hello', atMs: now + 5_000 },
    ...['hello', 'morning', 'yes', 'stop', ' '].map((text) => ({ type: 'SPEECH_DETECTED' as const, text, atMs: now })),
    { type: 'AMBIENT_SPEECH_DETECTED', text: ' ', atMs: now },
    ...(['answer', 'ignore', 'context'] as const).map((verdict) => ({
      type: 'AMBIENT_SPEECH_DETECTED' as const,
      text: 'hello',
      verdict,
      atMs: now,
    })),
    { type: 'CALLER_TYPED', text: 'hello', asker: nextAsker(), atMs: now },
    ...(announces ? [false, true] : []).map((isProtected) => ({
      type: 'ANNOUNCEMENT_MADE' as const,
      text: 'Dinner.',
      protected: isProtected,
      asker: nextAsker(),
      atMs: now,
    })),
    { type: 'REPLY_UNWANTED', atMs: now },
    { type: 'ENDPOINT_PREDICTED', endOfTurn: 0.1, atMs: now },
    { type: 'ENDPOINT_PREDICTED', endOfTurn: 0.9, atMs: now },
    { type: 'SYSTEM_STOPPED', atMs: now },
    { type: 'CONVERSATION_RESUMED', turns: context.turns, replies: context.replies, atMs: now },
    { type: 'CONVERSATION_CONFIGURED', settings: ['endpointing'], policy: context.policy, atMs: now },
    ...worldEvents(situation, replyIds),
  ]
}

const clock = { id: 'c1', name: 'clock', arguments: {} }
const textOver = (replyId: string): ConversationEvent => ({
  type: 'REPLY_ENDED',
  replyId,
  text: 'Hi.',
  model: 'm',
  backend: 'scripted',
  cached: false,
  fallback: false,
  usage: {},
  finishReason: 'stop',
})
const failure = { code: 'timeout', message: 'too late', retryable: true } as const

/** Events that come though nobody says anything more, and nothing breaks: timers, the reply, the player. */
export function isProgress({ type }: ConversationEvent): boolean {
  return /^(?:xstate\.after|REPLY_(?!UNWANTED)|PLAYBACK_|ENDPOINT_|TURN_)/u.test(type)
}

function worldEvents(situation: Situation, replyIds: readonly string[]): ConversationEvent[] {
  const { reply } = situation.context
  const segment = { ...aSegment, replyId: reply?.replyId ?? goneReply }
  const fromReplies = replyIds.flatMap((replyId): ConversationEvent[] => [
    { type: 'REPLY_DELAYED', replyId, reason: 'loading' },
    // A reply that is over calls nothing.
    ...(reply?.end == null ? [{ type: 'REPLY_CALLING' as const, replyId, calls: [clock] }] : []),
    { type: 'REPLY_CALLED', replyId, call: clock, result: 'noon', outcome: 'done' },
    // A reply that has reached the sink starts no second attempt.
    ...(situation.matches('responding') ? [] : [{ type: 'REPLY_RESTARTED' as const, replyId, attempt: 2 }]),
    { type: 'REPLY_SEGMENT', replyId, attempt: 1, segment: { ...segment, replyId } },
    // One whose functions run has not ended.
    ...((reply?.calls.length ?? 0) > 0 ? [] : [textOver(replyId)]),
    { type: 'REPLY_FAILED', replyId, error: failure },
    broken(replyId),
  ])
  const fromPlayer: ConversationEvent[] = [
    { type: 'PLAYBACK_HANDED', segment },
    { type: 'PLAYBACK_STARTED', index: 0 },
    ...(reply === null || reply.played < reply.cut ? [{ type: 'PLAYBACK_FINISHED' as const, index: 0 }] : []),
    { type: 'PLAYBACK_PAUSED' },
    { type: 'PLAYBACK_FAILED', error: failure },
    broken('player'),
    broken('detector'),
    broken('lookout'),
  ]
  const fromStore = [reply?.turnId, 'turn-0']
    .filter((turnId) => turnId !== undefined)
    .flatMap((turnId) => [true, false].map((durable) => ({ type: 'TURN_STORED' as const, turnId, durable })))
  return [
    ...fromReplies,
    ...fromPlayer,
    ...fromStore,
    ...timers(situation),
    { type: 'ENDPOINT_PREDICTED', endOfTurn: 0.9 },
  ]
}

const broken = (actorId: string): ConversationEvent => ({
  type: `xstate.error.actor.${actorId}`,
  actorId,
  error: new Error('broken'),
})

/** Each timer of each state, by the state's path. */
export const timersOf = [
  'detecting.turn.hearing: maxOpenMs',
  'detecting.turn.waiting: endpointing',
  'detecting.ahead.settling: stableMs',
  'generating.storing: storeCommitMs',
  'generating.held.voiced: longestHold',
  'generating.held.voiced.brief: minDuration',
  'generating.held.settling: falseAfterMs',
  'responding.streaming.voiced: minDuration',
  'responding.draining.voiced: minDuration',
  'responding.paused.voiced: maxOpenMs',
  'responding.paused.settling: falseAfterMs',
  'error: errorResetMs',
] as const

/** The timers that run. XState makes their events, which have no type to be named by; JSON has no types at all. */
function timers(situation: Situation): ConversationEvent[] {
  const paths = activePaths(situation.value, '')
  return timersOf
    .flatMap((timer) => {
      const [path = '', delay = ''] = timer.split(': ')
      return paths.has(path) ? [`xstate.after.${delay}.conversation.${path}`] : []
    })
    .map((type): ConversationEvent => JSON.parse(JSON.stringify({ type })))
}

export function activePaths(value: unknown, prefix: string): Set<string> {
  if (typeof value === 'string') return new Set([`${prefix}${value}`])
  if (typeof value !== 'object' || value === null) return new Set()
  return new Set(
    Object.entries(value).flatMap(([key, below]) => [`${prefix}${key}`, ...activePaths(below, `${prefix}${key}.`)]),
  )
}

/** The class of a situation, as text. Over is over: all stopped situations are one. */
export function project(situation: Situation): string {
  if (situation.matches('stopped')) return 'stopped'
  const { voice, formerVoice, voices, committed, reply, speculation, announcements } = situation.context
  return JSON.stringify({
    value: situation.value,
    children: Object.keys(situation.children).map((id) => id.replace(/\d+$/u, '')),
    said: wordsIn(situation.context),
    voice: voice && voice.endedAtMs === null,
    overlooked: voice === null && formerVoice !== null,
    awaitsEcho: committed !== null && committed.takenPartial !== null && voices <= committed.voiceSerial,
    reply: reply && {
      protected: reply.protected,
      calls: reply.calls.length > 0,
      unplayed: reply.cut > reply.played,
      stored: reply.stored,
      tolerated: reply.toleratedVoice === voice?.serial,
      end: reply.end && reply.end.ok,
    },
    speculation: speculation && {
      waiting: speculation.waiting.length > 0,
      end: speculation.end && speculation.end.ok,
    },
    announced: announcements.length > 0,
  })
}

/** nothing, words to come, words complete, nothing but a stop word, typed. */
function wordsIn({ said, policy }: ConversationContext): string {
  if (said.isTyped) return 'typed'
  if (said.finals.length === 0 && said.partial === null) return 'nothing'
  if (saysOnly(turnText(said), policy.interruption.stopWords)) return 'stop word'
  if (said.endOfTurn !== null) return `judged ${said.endOfTurn >= policy.endpointing.threshold}`
  const tries = said.speculations < policy.speculation.maxAttempts ? '' : ', tried'
  return `${isComplete(said) ? 'complete' : 'to come'}${tries}`
}

function latest({ said, voice, committed }: ConversationContext): number {
  return Math.max(
    said.finalAtMs,
    said.partialAtMs,
    voice?.startedAtMs ?? 0,
    voice?.endedAtMs ?? 0,
    committed?.atMs ?? 0,
  )
}
