/** Functions that the tests of this folder have called, and what a model says to have them called. */
import { z } from 'zod'
import { defineTool, type ToolContext } from '../../src/generation/tools.ts'
import type { ScriptedAnswer } from '../../src/testing/index.ts'

export const place = z.object({ city: z.string() })
export const weather = defineTool({
  description: 'The weather.',
  parameters: place,
  run: ({ city }) => `rain in ${city}`,
})
export const callWeather = (city: unknown = 'Oslo') => ({ name: 'weather', arguments: { city } })
export const asks: ScriptedAnswer = { toolCalls: [callWeather()] }
export const rains: ScriptedAnswer = { text: 'It rains.' }

/** A function that runs until it is let go or told to stop. */
export function slow() {
  const seen: ToolContext[] = []
  const waiting: ((result: string) => void)[] = []
  const tool = defineTool({
    description: 'Takes its time.',
    parameters: place,
    run: (_, context) => {
      seen.push(context)
      return new Promise<string>((resolve) => waiting.push(resolve))
    },
  })
  return { tool, seen, finish: (result: string) => waiting.shift()?.(result) }
}

/** The messages of a request but for the system prompt, in short. */
export const said = ({ messages }: { messages: readonly { role: string; content: string; toolCalls?: unknown[] }[] }) =>
  messages
    .slice(1)
    .map(({ role, content, toolCalls }) => (toolCalls ? [role, content, toolCalls.length] : [role, content]))
