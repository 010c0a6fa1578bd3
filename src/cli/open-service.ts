import type { Settings } from '../config/config.ts'
import type { Backend, LlmService } from '../index.ts'
import { openEmbedded } from './open-embedded.ts'
import { initializedService, type Keeping } from './open-store.ts'
import type { Terminal } from './terminal.ts'

export interface OpenService {
  service: LlmService
  /** Where the replies come from, for people: an address, or the embedded engine. */
  where: string
  close(): Promise<void>
}

export interface Opening {
  settings: Settings
  terminal: Terminal
  /** Gives up the setting-up. */
  signal: AbortSignal
  /** Where conversations are kept, if they are. */
  keeping?: Keeping | undefined
}

/**
 * The service that a command talks to: the configured server; where none is configured Ollama at its usual place; where
 * that does not answer either, the embedded engine, which is set up first if need be. A server that was configured is
 * the one that is used, whether it answers or not.
 */
export async function openService(opening: Opening): Promise<OpenService> {
  const { settings, terminal, keeping } = opening
  if (settings.apiType === 'embedded') return embedded(opening)
  const { service, info } = await initializedService(settings, keeping, terminal)
  const { reachable, origin } = info
  const isConfigured = settings.baseUrl !== undefined || settings.apiType !== 'auto'
  if (isConfigured || reachable) return { service, where: origin, close: () => service.close() }
  await service.close()
  terminal.errors.lines(
    `No server answers at ${origin} and none is configured (--base-url): using the embedded engine, on this machine.`,
  )
  return embedded(opening)
}

async function embedded({ settings, terminal, signal, keeping }: Opening): Promise<OpenService> {
  const { backend, modelName } = await openEmbedded(settings, terminal, signal)
  const given = withOnly(settings, modelName, backend)
  const { service } = await initializedService(given, keeping, terminal).catch(async (error: unknown) => {
    await backend.close?.()
    throw error
  })
  return {
    service,
    where: `the embedded engine (${modelName})`,
    async close() {
      await service.close()
      await backend.close?.()
    },
  }
}

/** One model is open, so nobody else could take over; and it is read in by its first use. */
function withOnly(settings: Settings, defaultModel: string, backend: Backend) {
  return { ...settings, defaultModel, fallback: { ...settings.fallback, models: [] }, backend }
}
