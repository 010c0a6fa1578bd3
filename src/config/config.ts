import { z } from 'zod'
import { defaultPolicy } from '../../machines/conversation/policy.ts'

const ms = (byDefault: number, max: number, meaning: string) =>
  z.number().int().min(0).max(max).default(byDefault).describe(meaning)
const section = <Shape extends z.ZodRawShape>(shape: Shape) => z.strictObject(shape)

const apiType = z.enum(['auto', 'ollama-chat', 'ollama-generate', 'openai', 'embedded'])
const baseUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' })

/** Another model to try, on the same backend or on one of its own. */
const fallbackModel = z.union([
  z.string().min(1),
  section({
    model: z.string().min(1),
    baseUrl: baseUrl.optional(),
    apiKey: z.string().optional(),
    apiType: apiType.optional(),
  }),
])

// The chart can be used without any configuration, so the numbers that it decides by stand with it.
const { endpointing: endOfTurn, speculation: ahead, interruption: bargeIn } = defaultPolicy

const endpointing = section({
  minDelayMs: ms(
    endOfTurn.minDelayMs,
    5_000,
    'Silence that ends the caller turn. Lower answers sooner, higher interrupts less.',
  ),
  maxDelayMs: ms(
    endOfTurn.maxDelayMs,
    30_000,
    'Longest silence waited for a final transcript, or when the detector says the turn goes on.',
  ),
  noVadDelayMs: ms(
    endOfTurn.noVadDelayMs,
    5_000,
    'Delay after a final transcript where the source sends no voice activity.',
  ),
  maxOpenMs: ms(
    endOfTurn.maxOpenMs,
    600_000,
    'Voice activity without any speech event for this long is taken as ended.',
  ),
  threshold: z
    .number()
    .min(0)
    .max(1)
    .default(endOfTurn.threshold)
    .describe('End-of-turn probability below which maxDelayMs counts.'),
})

const speculation = section({
  enabled: z
    .union([z.literal('auto'), z.boolean()])
    .default('auto')
    .describe(
      'Start a reply before the turn is committed; auto: only with a spare slot on a backend that can abort a prompt.',
    ),
  stableMs: ms(ahead.stableMs, 5_000, 'A partial unchanged for this long may be speculated on.'),
  maxAttempts: z.number().int().min(0).max(10).default(ahead.maxAttempts).describe('Speculations per turn, at most.'),
})

const interruption = section({
  enabled: z
    .boolean()
    .default(bargeIn.enabled)
    .describe('false: every reply plays to its end, and what the caller says is answered afterwards.'),
  minDurationMs: ms(
    bargeIn.minDurationMs,
    5_000,
    'Voice activity that pauses the sink (or holds text back) while a transcript is awaited.',
  ),
  minWords: z
    .number()
    .int()
    .min(1)
    .max(20)
    .default(bargeIn.minWords)
    .describe('Words a transcript needs to interrupt.'),
  falseAfterMs: ms(
    bargeIn.falseAfterMs,
    30_000,
    'Without a transcript for this long after speech ended, the interruption was false.',
  ),
  backchannels: z
    .array(z.string())
    .optional()
    .describe('Words that show listening and do not interrupt. Default: by language.'),
  stopWords: z
    .array(z.string())
    .optional()
    .describe('Words that silence the assistant and are not answered. Default: by language.'),
})

const ambient = section({
  policy: z
    .enum(['wake', 'ignore', 'context'])
    .default('wake')
    .describe(
      'What to do with speech not known to be addressed: answer when named, ignore, or remember without answering.',
    ),
  followUpMs: ms(0, 600_000, 'With policy wake: ambient speech this soon after a reply is answered too. 0: never.'),
})

const charMs = section({
  latin: z
    .number()
    .min(1)
    .max(2_000)
    .default(66)
    .describe('Expected speech time of one character, Latin and other alphabets.'),
  han: z.number().min(1).max(2_000).default(220).describe('Expected speech time of one character, Han, kana, hangul.'),
})

const segments = section({
  charMs: charMs.prefault({}),
  maxChars: z.number().int().min(20).max(2_000).default(240).describe('No segment is longer than this.'),
  firstClauseChars: z
    .number()
    .int()
    .min(1)
    .max(500)
    .default(10)
    .describe('Shortest clause spoken as the first segment.'),
  clauseChars: z.number().int().min(1).max(500).default(25).describe('Shortest clause spoken as a later segment.'),
  clauseBelowMs: ms(1_500, 60_000, 'A clause is spoken by itself only while less unspoken audio than this is left.'),
  wordsBelowMs: ms(
    400,
    60_000,
    'Words are spoken without a clause end only while less unspoken audio than this is left.',
  ),
  words: z.number().int().min(1).max(100).default(8).describe('Words that make such a segment.'),
})

const sink = section({
  stallMs: ms(10_000, 600_000, 'A sink that takes this much longer than expected for a segment is given up.'),
})

const timeouts = section({
  connectMs: ms(2_000, 60_000, 'To reach the server.'),
  firstTokenMs: ms(4_000, 600_000, 'From the granted slot to the first token; longer for long prompts.'),
  loadingMs: ms(60_000, 3_600_000, 'To the first token while the model is being loaded.'),
  idleMs: ms(3_000, 600_000, 'Between two deltas.'),
  totalMs: ms(60_000, 3_600_000, 'From the first token to the end.'),
  queueMs: ms(4_000, 600_000, 'Wait for a free slot.'),
  toolMs: ms(10_000, 600_000, 'For the functions that a model called at once; one that still runs then is aborted.'),
  storeLoadMs: z
    .number()
    .int()
    .min(1)
    .max(60_000)
    .default(1_000)
    .describe('For the store to tell what it kept of a conversation.'),
  storeCommitMs: ms(50, 10_000, 'The first segment waits this long for the store to have the caller’s words.'),
})

const retry = section({
  attempts: z
    .number()
    .int()
    .min(0)
    .max(5)
    .default(1)
    .describe('Quick retries of one model after a connection fault or a 5xx.'),
  minDelayMs: ms(100, 10_000, 'Shortest pause before a retry.'),
  maxDelayMs: ms(300, 10_000, 'Longest pause before a retry.'),
})

const fallback = section({
  models: z
    .array(fallbackModel)
    .default(['llama3.2:3b', 'llama2:7b', 'mistral:7b'])
    .describe('Models to try in turn when one fails, after the default model.'),
  afterCommit: z
    .enum(['stop', 'continue'])
    .default('stop')
    .describe('When a reply fails after its first words were spoken: stop there, or let the next model continue it.'),
})

const breaker = section({
  failures: z.number().int().min(1).max(100).default(3).describe('Failures in a row that open the breaker of a model.'),
  openMs: ms(5_000, 600_000, 'First time it stays open; doubles each time.'),
  maxOpenMs: ms(60_000, 3_600_000, 'Longest time it stays open.'),
})

const concurrency = section({
  slots: z.number().int().min(1).max(1_000).default(3).describe('Requests at once to one backend.'),
  queue: z.number().int().min(0).max(100_000).default(32).describe('Requests that may wait for a slot.'),
})

const cache = section({
  enabled: z.boolean().default(false).describe('Answer repeated deterministic requests from memory.'),
  scope: z
    .enum(['conversation', 'utterance'])
    .default('conversation')
    .describe('utterance: leave the history out of the key, for questions that stand alone.'),
  entries: z.number().int().min(1).max(100_000).default(100).describe('Replies kept.'),
  ttlMs: ms(600_000, 86_400_000, 'How long a reply is kept.'),
})

const context = section({
  contextTokens: z
    .number()
    .int()
    .min(256)
    .max(10_000_000)
    .optional()
    .describe('Window of the model in tokens. Default: what the server tells.'),
  replyTokens: z.number().int().min(16).max(100_000).default(512).describe('Room kept for the reply.'),
  highWater: z.number().min(0.1).max(1).default(0.92).describe('Part of the budget at which old turns are evicted.'),
  lowWater: z.number().min(0.05).max(1).default(0.6).describe('Part of the budget that eviction goes down to.'),
})

const limits = section({
  utteranceChars: z.number().int().min(1).max(1_000_000).default(4_000).describe('Longest transcript accepted.'),
  replyChars: z.number().int().min(1).max(1_000_000).default(8_000).describe('A longer reply is cut.'),
  lineBytes: z.number().int().min(1_024).max(67_108_864).default(1_048_576).describe('Longest line of a stream.'),
  conversations: z
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe('Conversations in memory at once; the one idle longest leaves when another needs its place.'),
  idleMs: ms(
    0,
    86_400_000,
    'A conversation that is idle for so long leaves memory by itself; a store keeps its turns. 0: never.',
  ),
})

const error = section({
  resetMs: ms(defaultPolicy.errorResetMs, 600_000, 'After this long the error state returns to idle.'),
})

const generation = section({
  temperature: z.number().min(0).max(2).optional().describe('Default: the model’s own.'),
  topP: z.number().min(0).max(1).optional().describe('Default: the model’s own.'),
  seed: z.number().int().optional().describe('A fixed seed makes replies repeatable.'),
  think: z.boolean().default(false).describe('Let a thinking model think (never spoken).'),
  keepAlive: z
    .union([z.string(), z.number()])
    .optional()
    .describe('How long Ollama keeps the model loaded: seconds, or a duration like 10m.'),
})

/** The one schema: type, default, bounds and documentation of every setting. Times are milliseconds. */
export const Config = section({
  baseUrl: baseUrl.optional().describe('Address of the server. Default: Ollama at http://127.0.0.1:11434.'),
  apiKey: z.string().min(1).optional().describe('Sent as a bearer token; never logged.'),
  apiType: apiType.default('auto').describe('Which API the server speaks; auto finds out.'),
  defaultModel: z
    .string()
    .min(1)
    .optional()
    .describe('Model asked first. Default: the first fallback model the server has, else its first chat model.'),
  systemPrompt: z
    .string()
    .max(100_000)
    .default('You are a helpful voice assistant. Answer in one or two short spoken sentences, without markup.')
    .describe('First message of every prompt, byte for byte.'),
  language: z.string().min(2).max(35).default('en').describe('BCP 47 tag: sentence rules, backchannels, stop words.'),
  assistantNames: z
    .array(z.string().min(1))
    .default([])
    .describe('Names that address the assistant in ambient speech.'),
  generation: generation.prefault({}),
  endpointing: endpointing.prefault({}),
  speculation: speculation.prefault({}),
  interruption: interruption.prefault({}),
  ambient: ambient.prefault({}),
  segments: segments.prefault({}),
  sink: sink.prefault({}),
  timeouts: timeouts.prefault({}),
  retry: retry.prefault({}),
  fallback: fallback.prefault({}),
  breaker: breaker.prefault({}),
  concurrency: concurrency.prefault({}),
  cache: cache.prefault({}),
  context: context.prefault({}),
  limits: limits.prefault({}),
  error: error.prefault({}),
})

/** What users write: everything optional. */
export type ConfigInput = z.input<typeof Config>
/** What the runtime reads: every default applied. */
export type Settings = z.output<typeof Config>
