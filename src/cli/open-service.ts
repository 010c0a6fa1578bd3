import type { Settings } from '../config/config.ts'
import { createLlmService, type Backend, type BackendInfo, type LlmService } from '../index.ts'
import { openEmbedded } from './open-embedded.ts'
import { print, type Terminal } from './terminal.ts'

export interface OpenService {
  service: LlmService
  /** Where the replies come from, for people: an address, or the embedded engine. */
  where: string
  close(): Promise<void>
}

/**
 * The service that a command talks to: the configured server; where none is configured Ollama at its usual place; where
 * that does not answer either, the embedded engine, which is set up first if need be. A server that was configured is
 * the one that is used, whether it answers or not.
 */
export async function openService(settings: Settings, terminal: Terminal, signal: AbortSignal): Promise<OpenService> {
  if (settings.apiType === 'embedded') return embedded(settings, terminal, signal)
  const service = createLlmService(settings)
  const { reachable, origin } = await firstLook(service)
  const isConfigured = settings.baseUrl !== undefined || settings.apiType !== 'auto'
  if (isConfigured || reachable) return { service, where: origin, close: () => service.close() }
  await service.close()
  print(
    terminal.errors,
    `No server answers at ${origin} and none is configured (--base-url): using the embedded engine, on this machine.`,
  )
  return embedded(settings, terminal, signal)
}

/** Rejects where the configuration can never work; a server that does not answer yet may do so later. */
async function firstLook(service: LlmService): Promise<BackendInfo> {
  try {
    return await service.initialize()
  } catch (error) {
    await service.close()
    throw error
  }
}

async function embedded(settings: Settings, terminal: Terminal, signal: AbortSignal): Promise<OpenService> {
  const { backend, modelName } = await openEmbedded(settings, terminal, signal)
  const service = createLlmService(withOnly(settings, modelName, backend))
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
