import { afterEach } from 'vitest'
import type { Backend, BackendEnd, BackendRecord, ChatRequest } from '../../src/backends/contract.ts'
import { LlmError } from '../../src/backends/contract.ts'
import { openBackend, type ServerDialect } from '../../src/backends/open-backend.ts'
import { loopbackServer, type LoopbackOptions } from '../../src/testing/loopback-server.ts'

export const dialects: readonly ServerDialect[] = ['ollama-chat', 'ollama-generate', 'openai']

export const hello: ChatRequest = { model: 'm1', messages: [{ role: 'user', content: 'hello there, machine' }] }

const open: { close(): Promise<void> }[] = []

/** A server that is closed when the test is over. */
export async function serverFor(options: LoopbackOptions = {}) {
  const server = await loopbackServer(options)
  open.push(server)
  return server
}

export function closeServersAfterEach(): void {
  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.close()))
  })
}

export interface Asked {
  records: BackendRecord[]
  text: string
  thinking: string
  end?: BackendEnd
  error?: unknown
}

/** One request, with whatever came of it. */
export async function ask(backend: Backend, request = hello, signal = new AbortController().signal): Promise<Asked> {
  const records: BackendRecord[] = []
  const said = (kind: string) =>
    records.map((record) => (record.type === 'delta' && record.kind === kind ? record.text : '')).join('')
  const outcome = await backend
    .stream(request, (record) => records.push(record), signal)
    .then((end) => ({ end }))
    .catch((error: unknown) => ({ error }))
  return { records, text: said('text'), thinking: said('thinking'), ...outcome }
}

export const askServer = (dialect: ServerDialect, url: string, request = hello, signal?: AbortSignal) =>
  ask(openBackend(dialect, { baseUrl: url }), request, signal)

/** What policy sees of a failure. */
export function facts(error: unknown) {
  if (!(error instanceof LlmError)) return error
  const { code, fault, status } = error
  return {
    code,
    fault,
    ...(status === undefined ? {} : { status }),
    ...(error.origin === undefined ? {} : { origin: true }),
  }
}
