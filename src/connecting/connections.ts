import { createBackendConnection, type BackendConnection } from './backend-connection.ts'
import { createEmbeddedConnection, type EmbeddedConnection } from './embedded-connection.ts'
import type { Target } from '../generation/index.ts'
import { parseAddress } from '../backends/address.ts'
import type { Backend } from '../backends/contract.ts'
import type { Settings } from '../config/config.ts'
import type { ServiceParts } from '../runtime/options.ts'

/** Where Ollama listens when nobody said otherwise. */
export const usualAddress = 'http://127.0.0.1:11434'

/** The backends of a service, each reached once and remembered: its own, and those that fallbacks name. */
export interface Connections {
  /** Nothing in the target means the service's own backend. */
  to(target: Target): BackendConnection
  /** Ends the engine that runs in a process of ours. Servers need no goodbye. */
  close(): Promise<void>
}

/** Throws `config` for an address, of the service or of a fallback, that can never work. Sends nothing. */
export function createConnections({ settings, clock, backend, inspect }: ServiceParts): Connections {
  const known = new Map<string, BackendConnection>()
  let engine: EmbeddedConnection | undefined

  function to(target: Target): BackendConnection {
    const isOwn = target.baseUrl === undefined || target.baseUrl === settings.baseUrl
    if (isOwn && backend !== undefined) return connected(backend)
    const baseUrl = target.baseUrl ?? settings.baseUrl ?? usualAddress
    const apiKey = target.apiKey ?? (isOwn ? settings.apiKey : undefined)
    const apiType = target.apiType ?? (isOwn ? settings.apiType : 'auto')
    if (apiType === 'embedded' && (target.baseUrl ?? settings.baseUrl) === undefined) {
      engine ??= createEmbeddedConnection(settings)
      return engine
    }
    const key = JSON.stringify([baseUrl, apiType, apiKey])
    const connection =
      known.get(key) ??
      createBackendConnection({
        baseUrl,
        apiType,
        clock,
        limits: settings.limits,
        timeouts: settings.timeouts,
        inspect,
        ...(apiKey === undefined ? {} : { apiKey }),
      })
    known.set(key, connection)
    return connection
  }

  for (const baseUrl of addressesIn(settings)) parseAddress(baseUrl)
  return {
    to,
    async close() {
      await engine?.close()
    },
  }
}

function addressesIn({ baseUrl, fallback }: Settings): string[] {
  const elsewhere = fallback.models.map((model) => (typeof model === 'string' ? undefined : model.baseUrl))
  return [baseUrl, ...elsewhere].filter((address) => address !== undefined)
}

/** A backend that a program brought along is there by definition. */
function connected(backend: Backend): BackendConnection {
  const info = { reachable: true, backend: backend.name, origin: backend.origin }
  return {
    connect: async () => backend,
    forget() {},
    info: async () => info,
    check: async () => info,
  }
}
