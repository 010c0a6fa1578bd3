import { z } from 'zod'
import { defineTool, type Clock, type Tool } from '../../src/index.ts'

/** What became of the calls that were made: every one that began must end, or be aborted by its signal. */
export interface ToolBook {
  readonly tools: Readonly<Record<string, Tool>>
  readonly called: number
  readonly aborted: number
  /** Still at it. */
  readonly running: number
}

/** Functions that are quick, slow, in vain, or never done. */
export function soakTools(clock: Clock): ToolBook {
  let called = 0
  let aborted = 0
  let running = 0

  /** Resolves after `ms`, or at once when nobody wants it any more. */
  async function takes(ms: number, signal: AbortSignal): Promise<void> {
    called += 1
    running += 1
    await new Promise<void>((resolve) => {
      let isOver = false
      const over = () => {
        isOver = true
        resolve()
      }
      const cancel = clock.schedule(over, ms)
      signal.addEventListener('abort', () => {
        if (isOver) return
        aborted += 1
        cancel()
        over()
      })
    })
    running -= 1
  }

  const parameters = z.object({ city: z.string() })
  const lasting = (description: string, ms: number) =>
    defineTool({
      description,
      parameters,
      async run(_, { signal }) {
        await takes(ms, signal)
        return { departs: '10.45' }
      },
    })
  return {
    tools: {
      quick: lasting('Trains, at once.', 1),
      slow: lasting('Trains, after a while.', 100),
      endless: lasting('Trains, never.', 60_000),
      broken: defineTool({
        description: 'Trains that do not run.',
        parameters,
        async run(_, { signal }) {
          await takes(1, signal)
          throw new Error('the time-table is gone')
        },
      }),
    },
    get called() {
      return called
    },
    get aborted() {
      return aborted
    },
    get running() {
      return running
    },
  }
}
