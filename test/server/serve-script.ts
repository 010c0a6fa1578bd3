import {
  createLlmService,
  systemClock,
  type ConversationStore,
  type EventBus,
  type LlmService,
} from '../../src/index.ts'
import { startServer, type RunningServer, type ServerOptions } from '../../src/server/start-server.ts'
import { scriptedBackend, type ScriptedAnswer } from '../../src/testing/index.ts'

export interface ServedScript {
  server: RunningServer
  service: LlmService
  close(): Promise<void>
}

/** A server on any free port, whose replies follow a script without delay. */
export async function serveScript(
  replies: readonly ScriptedAnswer[] = [],
  { store, bus, ...options }: Partial<ServerOptions> & { store?: ConversationStore; bus?: EventBus } = {},
): Promise<ServedScript> {
  const quick = replies.map((reply) => ({ firstTokenMs: 1, perTokenMs: 1, ...reply }))
  const backend = scriptedBackend({ models: ['small-model'], replies: quick }, systemClock)
  const service = createLlmService({
    backend,
    ...(store === undefined ? {} : { store }),
    ...(bus === undefined ? {} : { bus }),
  })
  const answering = { kind: 'configured', model: 'small-model', isLanguageModel: true } as const
  try {
    const server = await startServer({ service, answering, port: 0, ...options })
    return {
      server,
      service,
      async close() {
        await server.close()
        await service.close()
      },
    }
  } catch (error) {
    await service.close()
    throw error
  }
}
