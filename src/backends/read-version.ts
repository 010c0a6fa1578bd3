import { z } from 'zod'
import type { DetectedDialect } from '../../machines/detection.ts'
import { rootPath } from './address.ts'
import { askJson } from './exchange.ts'
import { createTransport } from './http.ts'
import type { ServerOptions } from './server-options.ts'

const told = z.looseObject({ version: z.string() })
const listed = z.looseObject({ data: z.array(z.unknown()).nullable() })

/** The cheapest look that a dialect offers; undefined where a server names no version. Rejects with LlmError. */
export async function readVersion(dialect: DetectedDialect, options: ServerOptions, signal: AbortSignal) {
  const { baseUrl, apiKey } = options
  const transport = createTransport({ baseUrl, backend: dialect, ...(apiKey === undefined ? {} : { apiKey }) })
  const root = rootPath(transport.address.basePath)
  const through = { transport, backend: dialect }
  if (dialect === 'openai') {
    await askJson(through, { method: 'GET', path: `${root}/v1/models`, signal }, listed)
    return undefined
  }
  return (await askJson(through, { method: 'GET', path: `${root}/api/version`, signal }, told)).version
}
