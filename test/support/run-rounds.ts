import { expect } from 'vitest'
import { z } from 'zod'
import type { ToolCall } from '../../machines/vocabulary.ts'
import type { Backend } from '../../src/backends/contract.ts'
import type { ConfigInput } from '../../src/config/config.ts'
import { createToolbox, defineTool } from '../../src/generation/index.ts'
import { replies, type ReplyExtras } from './run-reply.ts'
import { scriptedBackend, type Step } from './scripted-backend.ts'
import { settlingClock } from './settling-clock.ts'

/* One reply whose model calls a function. */

export const oslo: ToolCall = { id: 'c', name: 'weather', arguments: { city: 'Oslo' } }
export const delta = (text: string): Step => ({ type: 'delta', kind: 'text', text })
export const asks = (...words: string[]): Step[] => [
  ...words.map(delta),
  { type: 'tool-calls', calls: [oslo] },
  { finishReason: 'tool-calls' },
]

/** One reply from start to end, whose model may call for the weather. */
export async function run(
  scripts: Step[][],
  given: {
    config?: ConfigInput
    heardAfterMs?: number
    more?: ReplyExtras
    like?: Partial<Backend>
  } = {},
) {
  const clock = settlingClock()
  const seen: unknown[] = []
  const weather = defineTool({
    description: 'The weather.',
    parameters: z.object({ city: z.string().optional() }),
    run: ({ city }) => {
      seen.push(city)
      return 'rain'
    },
  })
  const backend = scriptedBackend(clock, scripts)
  const { start, generation } = replies(clock, given.config ?? {}, Object.assign(backend, given.like), {
    toolbox: createToolbox({ weather }),
    ...given.more,
  })
  const reply = start()
  await clock.advance(given.heardAfterMs ?? 0)
  if (given.heardAfterMs !== undefined) reply.commit()
  await clock.advance(10_000)
  reply.stop()
  generation.close()
  expect(clock.pending).toBe(0)
  return { ...reply, requests: backend.requests, seen: [...seen] }
}
