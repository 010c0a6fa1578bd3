import { z } from 'zod'

/** What the library and the engine's process say to each other, as JSON over the channel between them. */

const message = z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })

const engineRequest = z.object({
  messages: z.array(message),
  maxTokens: z.number().int().min(1),
  temperature: z.number().optional(),
  topP: z.number().optional(),
  seed: z.number().int().optional(),
  stop: z.array(z.string()),
})
export type EngineMessage = z.output<typeof message>
export type EngineRequest = z.output<typeof engineRequest>

const openRequest = z.object({
  type: z.literal('open'),
  /** File URL of the engine's module. */
  engine: z.string(),
  modelPath: z.string(),
  /** Of the model, as published. Nothing else is opened. */
  sha256: z.string().exactOptional(),
  /** Tokens of each conversation's window. */
  contextTokens: z.number().int(),
  sequences: z.number().int(),
  threads: z.number().int(),
  /** Prompt tokens read between two looks at the signal. */
  sliceTokens: z.number().int(),
})
export type OpenRequest = z.output<typeof openRequest>

export const EngineCommand = z.discriminatedUnion('type', [
  openRequest,
  z.object({ type: z.literal('reply'), id: z.number(), request: engineRequest }),
  z.object({ type: z.literal('prewarm'), id: z.number(), request: engineRequest }),
  z.object({ type: z.literal('count'), id: z.number(), text: z.string() }),
  z.object({ type: z.literal('abort'), id: z.number() }),
])
export type EngineCommand = z.output<typeof EngineCommand>

const ended = z.object({
  type: z.literal('ended'),
  id: z.number(),
  finishReason: z.enum(['stop', 'length']),
  promptTokens: z.number(),
  cachedPromptTokens: z.number(),
  replyTokens: z.number(),
  promptMs: z.number(),
  replyMs: z.number(),
})
export type EngineEnd = z.output<typeof ended>

export const EngineReport = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opened'), contextTokens: z.number(), loadMs: z.number() }),
  z.object({ type: z.literal('not-opened'), reason: z.enum(['changed', 'engine']), message: z.string() }),
  /** A sequence was granted: the prompt is being read. */
  z.object({ type: z.literal('granted'), id: z.number() }),
  z.object({ type: z.literal('text'), id: z.number(), text: z.string() }),
  ended,
  z.object({ type: z.literal('counted'), id: z.number(), tokens: z.number() }),
  z.object({
    type: z.literal('failed'),
    id: z.number(),
    reason: z.enum(['aborted', 'too-long', 'engine']),
    message: z.string(),
  }),
])
export type EngineReport = z.output<typeof EngineReport>
