import { createLlmService, type Backend, type Clock } from '../../src/index.ts'
import { systemClock } from '../../src/index.ts'
import { startServer } from '../../src/server/start-server.ts'
import { scriptedBackend, type ScriptedAnswer } from '../../src/testing/index.ts'

export interface Served {
  url: string
  close(): Promise<void>
}

/** A server with a backend that answers by script, on any free port. */
export async function servePage(
  replies: readonly ScriptedAnswer[],
  given: { backend?: Backend } = {},
): Promise<Served> {
  const clock: Clock = systemClock
  const backend = given.backend ?? scriptedBackend({ models: ['small-model'], replies }, clock)
  const service = createLlmService({ backend, interruption: { minDurationMs: 100 }, endpointing: { minDelayMs: 100 } })
  const answering = { kind: 'configured', model: 'small-model', isLanguageModel: true } as const
  const server = await startServer({ service, answering, port: 0 })
  return {
    url: server.url,
    async close() {
      await server.close()
      await service.close()
    },
  }
}
