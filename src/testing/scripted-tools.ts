import { z } from 'zod'
import type { Clock } from '../../machines/vocabulary.ts'
import { defineTool, type Tool } from '../generation/index.ts'
import type { Scenario } from './scenario.ts'

/** The functions of a scenario, on virtual time. What is aborted is done at once, and leaves no timer. */
export function scriptedTools(script: Scenario['tools'], clock: Clock): Record<string, Tool> {
  const entries = Object.entries(script).map(([name, { result, takesMs, fails }]) => [
    name,
    defineTool({
      description: `The scenario's ${name}.`,
      parameters: z.looseObject({}),
      async run(_, { signal }) {
        if (takesMs > 0) await passes(clock, takesMs, signal)
        if (fails) throw new Error(`${name} fails`)
        return result
      },
    }),
  ])
  return Object.fromEntries(entries)
}

function passes(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(resolve, ms)
    signal.addEventListener('abort', () => {
      cancel()
      resolve()
    })
  })
}
