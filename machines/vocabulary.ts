/** The shared nouns: what is said, what happens, what is reported. Types only; every module speaks in these words. */

/** A moment or a span on the service's monotonic clock, in milliseconds. */
export type Milliseconds = number

/** The service's one clock. Every delay and time stamp comes from it; tests put a virtual one in its place. */
export interface Clock {
  now(): Milliseconds
  /** Runs once after `ms`; the returned function cancels it. */
  schedule(run: () => void, ms: Milliseconds): () => void
}

/** A function that a model wants run. */
export interface ToolCall {
  id: string
  name: string
  /** What was read from the model's JSON; text where it was none. */
  arguments: unknown
}

/** Where in its reply a function was called. A later prompt tells it there again, so that it begins as this one did. */
export interface CallPlace {
  /** Counted from 1: which of the reply's requests was answered with the call. */
  round?: number
  /** From 0: its place among the calls of that round. */
  index?: number
  /** How many characters of the reply were said before; absent for none. */
  saidChars?: number
}

/** What became of a function: it gave a result, it threw, or it was stopped before it was done. */
export type ToolOutcome = 'done' | 'failed' | 'aborted'

/** One side's whole contribution, as it was said or heard; or a function that was called for it. History is a list of these. */
export interface Turn extends CallPlace {
  role: 'user' | 'assistant' | 'tool'
  /** The caller's words, the source text of what the caller was acknowledged to have heard, or a function's result. */
  text: string
  /** Present and true when the assistant was cut. */
  interrupted?: true
  speaker?: string
  turnId?: string
  /** Of role `tool`: what was called. Call and result are one entry, so that neither is ever without the other. */
  call?: ToolCall
  outcome?: ToolOutcome
}

/** The piece of a reply handed to the sink at once. */
export interface Segment {
  /** Whose reply it is: one sink may speak for many conversations. */
  conversationId: string
  replyId: string
  /** From 0, counted within the reply. */
  index: number
  /** As it is spoken: without Markdown, code fences, emoji. */
  text: string
  /** As the model wrote it, trimmed. */
  source: string
  /** White space between the source of the segment before and this one; '' for the first. */
  gap: string
  /** BCP 47 tag of the language that it is spoken in. */
  language: string
  /** The voice that speaks it, where the conversation has several. */
  voice?: string
}

/** A segment as it was cut, not yet part of a reply. `gap + source`, joined, gives the text back. */
export type CutSegment = Pick<Segment, 'index' | 'text' | 'source' | 'gap'>

/** Cuts deltas into segments; one per attempt. */
export interface Segmenter {
  /** Takes what the backend sent and returns the segments that are now certain. */
  push(delta: string): CutSegment[]
  /** The text is over: returns what is left. */
  end(): CutSegment[]
}

/** A piece of text as the backend sent it. A higher attempt replaces what lower ones said. */
export interface Delta {
  replyId: string
  attempt: number
  kind: 'text' | 'thinking'
  text: string
  /** Said by lower attempts already: a reader who keeps what they said needs it no more. */
  repeated?: true
}

/** Tokens that the backend says it read and wrote. */
export interface Usage {
  promptTokens?: number
  cachedPromptTokens?: number
  replyTokens?: number
}

/** What the prompt of a reply cost: how much of it the server still knew, and what was dropped to make it fit. */
export interface PromptMetrics {
  estimatedTokens: number
  contextTokens: number
  /** Tokens that the server really read; where it tells how many it had cached. */
  evaluatedTokens?: number
  cachedTokens?: number
  /** Part of the prompt that was cached, from 0 to 1. */
  prefixHitRate?: number
  evictedMessages: number
}

/** What was measured of one turn; only what the backend and the sink make knowable. */
export interface Timings {
  queueMs?: Milliseconds
  loadMs?: Milliseconds
  promptMs?: Milliseconds
  timeToFirstTokenMs?: Milliseconds
  timeToFirstSegmentMs?: Milliseconds
  timeToFirstAudioMs?: Milliseconds
  totalMs?: Milliseconds
  tokensPerSecond?: number
  bargeInToSilenceMs?: Milliseconds
}

/** Every error has one of these codes; programs decide by them, people read the message. */
export type ErrorCode =
  | 'connection'
  | 'timeout'
  | 'http'
  | 'protocol'
  | 'model-missing'
  | 'auth'
  | 'overloaded'
  | 'context-overflow'
  | 'content-filter'
  | 'empty-reply'
  | 'tool'
  | 'sink'
  | 'sink-stalled'
  | 'speech-source'
  | 'bad-input'
  | 'store'
  | 'config'
  | 'internal'

/** An error as plain data: what charts carry and events tell. */
export interface Failure {
  code: ErrorCode
  /** For people: one line, what is wrong and what to do. Never quotes the caller, never a secret. */
  message: string
  retryable: boolean
  /** HTTP status, where there was one. */
  status?: number
  /** How long the server asked us to wait. */
  retryAfterMs?: Milliseconds
}

// ---------------------------------------------------------------------------------------------- events in

interface Heard {
  atMs?: Milliseconds
  conversationId?: string
}

export type SpeechStarted = Heard & { type: 'SPEECH_STARTED' }
export type SpeechPartial = Heard & { type: 'SPEECH_PARTIAL'; text: string }
export type SpeechDetected = Heard & { type: 'SPEECH_DETECTED'; text: string; speaker?: string }
export type SpeechEnded = Heard & { type: 'SPEECH_ENDED' }
export type AmbientSpeechDetected = Heard & { type: 'AMBIENT_SPEECH_DETECTED'; text: string; speaker?: string }
export type SystemStopped = Heard & { type: 'SYSTEM_STOPPED' }

/** What a speech source, the bus, the wire and a scenario file may say. */
export type SpeechEvent =
  | SpeechStarted
  | SpeechPartial
  | SpeechDetected
  | SpeechEnded
  | AmbientSpeechDetected
  | SystemStopped

// ------------------------------------------------------------------------- between conversation and reply

/** Why a reply exists: to answer, to answer ahead of the commit, to say words that are given. */
export type ReplyPurpose = 'answer' | 'speculation' | 'say'

/** What a reply is told when it is born. Its actors look up the messages for the model by `conversationId`. */
export interface ReplyInput {
  /** Whose reply it is: one provided chart serves all conversations of a service. */
  conversationId: string
  replyId: string
  turnId: string
  purpose: ReplyPurpose
  /** `speculation`: words that are not in history yet. `say`: the words to speak. `answer`: the words just committed. */
  text: string
}

/** What a conversation tells its reply. */
export type ReplyCommand =
  /** The first segment is with the sink: from now on a failure can be heard. */
  | { type: 'REPLY_COMMITTED' }
  /** A speculation has become the turn's reply. */
  | { type: 'REPLY_ADOPTED'; turnId?: string }

export type DelayReason = 'loading' | 'queued' | 'fallback' | 'tool'

/** What a reply tells its conversation. Everything carries the reply's id, so that what comes late can be dropped. */
export type ReplyReport =
  | { type: 'REPLY_DELAYED'; replyId: string; reason: DelayReason }
  /** The attempt was given up unheard: its segments are void. */
  | { type: 'REPLY_RESTARTED'; replyId: string; attempt: number }
  | { type: 'REPLY_SEGMENT'; replyId: string; attempt: number; segment: Segment }
  /** These functions are run now; each is answered, or ends with the reply. */
  | { type: 'REPLY_CALLING'; replyId: string; calls: (ToolCall & CallPlace)[] }
  | { type: 'REPLY_CALLED'; replyId: string; call: ToolCall & CallPlace; result: string; outcome: ToolOutcome }
  /** The text is complete; no segment follows. */
  | ({ type: 'REPLY_ENDED'; replyId: string } & ReplyEnd)
  | { type: 'REPLY_FAILED'; replyId: string; error: Failure }

/** The facts of a complete reply. */
export interface ReplyEnd {
  /** The whole source text. */
  text: string
  model: string
  backend: string
  cached: boolean
  /** True when another model than the first one answered. */
  fallback: boolean
  usage: Usage
  /** `length`: the server's token limit; `limit`: our character limit. */
  finishReason: 'stop' | 'length' | 'limit'
}

// ------------------------------------------------------------------------ between conversation and player

/** What a conversation tells the player, which lives while it is `responding`. */
export type PlayerCommand =
  | { type: 'PLAYBACK_QUEUED'; segment: Segment }
  | { type: 'PLAYBACK_PAUSE_WANTED' }
  | { type: 'PLAYBACK_RESUME_WANTED' }

/** What the player tells the conversation. */
export type PlaybackReport =
  /** The segment is with the sink now. */
  | { type: 'PLAYBACK_HANDED'; segment: Segment }
  /** First sound of the segment. */
  | { type: 'PLAYBACK_STARTED'; index: number }
  | { type: 'PLAYBACK_FINISHED'; index: number }
  /** Only from a sink that can pause. */
  | { type: 'PLAYBACK_PAUSED' }
  | { type: 'PLAYBACK_FAILED'; error: Failure }

// ------------------------------------------------------------------------------------------- events out

interface Reported {
  conversationId: string
  turnId?: string
  atMs: Milliseconds
}
interface InTurn extends Reported {
  turnId: string
}

/** `barge-in`, `stop-word`, `stopped`, `requested`, `left` (its program ended meanwhile), or the word a program gave. */
export type InterruptReason = 'barge-in' | 'stop-word' | 'stopped' | 'requested' | (string & {})

export type CallerTurnEnded = InTurn & { type: 'CALLER_TURN_ENDED'; text: string; speaker?: string }
export type ResponseGenerating = InTurn & { type: 'RESPONSE_GENERATING'; replyId: string }
export type ResponseDelayed = InTurn & { type: 'RESPONSE_DELAYED'; reason: DelayReason }
export type ResponseStarted = InTurn & {
  type: 'RESPONSE_STARTED'
  replyId: string
  /** Whether the store has the caller's words by now; absent where nothing is stored. */
  durable?: boolean
}
export type ResponseSegment = InTurn & { type: 'RESPONSE_SEGMENT' } & Segment
/** A function was called for the reply, and this is what came of it. */
export type ToolCalled = InTurn & {
  type: 'TOOL_CALLED'
  replyId: string
  result: string
  outcome: ToolOutcome
} & ToolCall &
  CallPlace
export type ResponseGenerated = InTurn & {
  type: 'RESPONSE_GENERATED'
  replyId: string
  timings: Timings
  /** Absent for what no model was asked for. */
  prompt?: PromptMetrics
} & ReplyEnd
export type ResponseFinished = InTurn & { type: 'RESPONSE_FINISHED'; heard: string; timings: Timings }
export type ResponseInterrupted = InTurn & {
  type: 'RESPONSE_INTERRUPTED'
  reason: InterruptReason
  heard: string
  timings: Timings
}
export type ErrorOccurred = Reported & {
  type: 'ERROR_OCCURRED'
  code: ErrorCode
  message: string
  recoverable: boolean
  heard?: string
}
export type AmbientSpeechIgnored = Reported & {
  type: 'AMBIENT_SPEECH_IGNORED'
  /** What history keeps of it (policy `context`), already marked as overheard. */
  kept?: string
  speaker?: string
}
/** The conversation behaves by other settings from its next reply on. */
export type ConversationConfigured = Reported & {
  type: 'CONVERSATION_CONFIGURED'
  /** The names of the settings that changed: `systemPrompt`, `endpointing` … */
  settings: readonly string[]
}
/** The conversation is in memory from now on. */
export type ConversationOpened = Reported & {
  type: 'CONVERSATION_OPENED'
  /** Turns that a store kept of it; 0 for one that begins. */
  resumed: number
}
/** `left`: its program left it. `idle`: `limits.idleMs` passed. `evicted`: another conversation needed its place. `stopped`: its run is over. */
export type CloseReason = 'left' | 'idle' | 'evicted' | 'stopped'
/** The conversation is no longer in memory. What a store has of it stays. */
export type ConversationClosed = Reported & { type: 'CONVERSATION_CLOSED'; reason: CloseReason }
export type StateName = 'idle' | 'detecting' | 'generating' | 'responding' | 'error' | 'stopped'
export type StateChanged = Reported & { type: 'STATE_CHANGED'; from: StateName; to: StateName }

/** What `service.events`, `conversation.events` and the bus tell (they complete and never error). */
export type ServiceEvent =
  | CallerTurnEnded
  | ResponseGenerating
  | ResponseDelayed
  | ResponseStarted
  | ResponseSegment
  | ToolCalled
  | ResponseGenerated
  | ResponseFinished
  | ResponseInterrupted
  | ErrorOccurred
  | AmbientSpeechIgnored
  | StateChanged
  | ConversationConfigured
  | ConversationOpened
  | ConversationClosed
