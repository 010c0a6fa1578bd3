import { z } from 'zod'
import { LlmError } from '../backends/contract.ts'
import { Config } from '../config/config.ts'

const ms = z.number().min(0)
const count = z.number().int().min(0)

const fault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('http'), status: z.number().int().min(400).max(599) }),
  z.strictObject({ kind: z.literal('refused') }),
  z.strictObject({ kind: z.literal('stall'), afterTokens: count }),
  z.strictObject({ kind: z.literal('cut'), afterTokens: count }),
  z.strictObject({ kind: z.literal('no-end'), afterTokens: count }),
  z.strictObject({ kind: z.literal('error-record'), afterTokens: count }),
  z.strictObject({ kind: z.literal('deaf') }),
])

const reply = z.strictObject({
  text: z.string().optional(),
  deltas: z.array(z.string()).optional(),
  thinking: z.array(z.string()).optional(),
  toolCalls: z.array(z.strictObject({ name: z.string(), arguments: z.json().default({}) })).optional(),
  firstTokenMs: ms.optional(),
  perTokenMs: ms.optional(),
  fault: fault.optional(),
  model: z.string().min(1).optional(),
})

const backend = z.strictObject({
  models: z.array(z.string().min(1)).min(1).optional(),
  replies: z.array(reply).min(1).optional(),
})

const sink = z.strictObject({
  startMs: ms.optional(),
  charMs: ms.optional(),
  pausable: z.boolean().optional(),
  acknowledges: z.enum(['progress', 'finish', 'never']).optional(),
})

/** Functions that the model may call: what each gives, how long it takes, and whether it fails instead. */
const tool = z.strictObject({
  result: z.json().default(null),
  takesMs: ms.default(0),
  fails: z.boolean().default(false),
})

const spoken = z.enum(['SPEECH_PARTIAL', 'SPEECH_DETECTED', 'AMBIENT_SPEECH_DETECTED'])
const silent = z.enum(['SPEECH_STARTED', 'SPEECH_ENDED', 'SYSTEM_STOPPED'])
/** What the program does by `ask`, `say` and `interrupt`, in the words of the chart. */
const done = z.enum(['CALLER_TYPED', 'ANNOUNCEMENT_MADE', 'REPLY_UNWANTED'])
const happening = z
  .tuple([ms, z.enum([...silent.options, ...spoken.options, ...done.options]), z.string().optional()])
  .transform(([atMs, type, text], ctx) => {
    const said = spoken.safeParse(type)
    const unsaid = silent.safeParse(type)
    const act = done.safeParse(type)
    const hasText = said.success || (act.success && type !== 'REPLY_UNWANTED')
    if (hasText !== (text !== undefined))
      ctx.addIssue({ code: 'custom', path: [2], message: hasText ? `${type} needs a text` : `${type} has no text` })
    if (act.success) return { atMs, act: act.data, text: text ?? '' }
    if (said.success) return { atMs, event: { type: said.data, text: text ?? '' } }
    if (unsaid.success) return { atMs, event: { type: unsaid.data } }
    return z.NEVER
  })

const timeline = z.array(happening).superRefine((events, ctx) => {
  events.forEach(({ atMs }, index) => {
    const before = events[index - 1]?.atMs ?? 0
    if (atMs < before)
      ctx.addIssue({
        code: 'custom',
        path: [index, 0],
        message: `the timeline goes back in time: ${atMs} after ${before}`,
      })
  })
})

const said = z.strictObject({ role: z.string(), text: z.string() })
const checks = {
  event: z.strictObject({
    event: z.string().min(1),
    count: count.optional(),
    between: z.tuple([ms, ms]).optional(),
    times: z.array(ms).optional(),
    with: z.record(z.string(), z.unknown()).optional(),
  }),
  state: z.strictObject({ state: z.string().min(1), at: ms }),
  final: z.strictObject({ final: z.string().min(1) }),
  history: z.strictObject({ history: z.array(said.extend({ interrupted: z.boolean().optional() })) }),
  requests: z.strictObject({ requests: count }),
  models: z.strictObject({ models: z.array(z.string()) }),
  aborted: z.strictObject({ aborted: z.array(count) }),
  prompt: z.strictObject({ prompt: count, messages: z.array(said) }),
  segments: z.strictObject({ segments: z.array(z.string()) }),
  heard: z.strictObject({ heard: z.string() }),
  paused: z.strictObject({ paused: z.array(z.tuple([ms, ms])) }),
  silentFrom: z.strictObject({ silentFrom: ms }),
}

export type Check = { [Key in keyof typeof checks]: z.output<(typeof checks)[Key]> }[keyof typeof checks]

const check = z.record(z.string(), z.unknown()).transform((given, ctx): Check => {
  const found = Object.entries(checks).find(([key]) => key in given)
  if (found === undefined) {
    const message = `no such check; one of ${Object.keys(checks).join(', ')} says what is checked`
    ctx.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  const parsed = found[1].safeParse(given)
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues) {
    const { path, message } = plain(issue)
    ctx.addIssue({ code: 'custom', path, message })
  }
  return z.NEVER
})

/** The schema of a scenario file; `docs/testing.md` says what each key means. */
const Scenario = z.strictObject({
  name: z.string().min(1),
  spec: z.string().optional(),
  options: Config.optional(),
  backend: backend.optional(),
  sink: sink.optional(),
  tools: z.record(z.string(), tool).default({}),
  timeline: timeline.default([]),
  untilMs: ms.optional(),
  expect: z.array(check).default([]),
})

/** A conversation on virtual time, as one writes it: what the caller, the backend and the sink do, what comes of it. */
export type ScenarioInput = z.input<typeof Scenario>
export type Scenario = z.output<typeof Scenario>

/**
 * Checks what a scenario file holds. Throws `config` with one line that names the key that is wrong, with its path.
 *
 *     parseScenario({ name: 'x', backend: { reply: [] } })   // LlmError: scenario: backend.reply: unknown key
 */
export function parseScenario(input: unknown): Scenario {
  const parsed = Scenario.safeParse(input)
  if (parsed.success) return parsed.data
  const wrong = parsed.error.issues.map(plain).map(({ path, message }) => `${written(path)}: ${message}`)
  throw new LlmError('config', { message: `scenario: ${wrong.join('; ')}`, fault: 'scenario' })
}

function plain(issue: z.core.$ZodIssue): { path: PropertyKey[]; message: string } {
  if (issue.code === 'unrecognized_keys')
    return { path: [...issue.path, ...issue.keys.slice(0, 1)], message: 'unknown key' }
  return { path: issue.path, message: issue.message }
}

/** ['expect', 2, 'between'] -> expect[2].between */
function written(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the file'
  return path.map((key, at) => (typeof key === 'number' ? `[${key}]` : `${at > 0 ? '.' : ''}${String(key)}`)).join('')
}
