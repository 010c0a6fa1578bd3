import { Ollama } from 'ollama'
import { rootPath } from '../address.ts'
import type { BackendRecord } from '../contract.ts'
import { exchange, type Exchange } from '../exchange.ts'
import { readOllamaBody } from './body.ts'
import type { Spoken } from '../redaction.ts'

export interface ClientOptions {
  through: Exchange
  lineBytes: number
  model: string
  /** What was said; never quoted in an error. */
  spoken: Spoken
  on(record: BackendRecord): void
  signal: AbortSignal
}

/**
 * The official client, one per request, over our own transport: the client's abort does nothing before the headers and
 * ends every stream of the client after them; a signal of the request's own closes its one socket at any time.
 */
export function ollamaClient({ through, lineBytes, model, spoken, on, signal }: ClientOptions): Ollama {
  const { origin, basePath } = through.transport.address
  return new Ollama({
    host: `${origin}${rootPath(basePath)}`,
    async fetch(input, init) {
      const path = new URL(input instanceof Request ? input.url : input).pathname
      const body = typeof init?.body === 'string' ? init.body : ''
      const accept = 'application/x-ndjson, application/json'
      const reply = await exchange(through, { method: 'POST', path, body, accept, signal, on, model, spoken })
      const { stream, put, close, fail } = queuedStream()
      readOllamaBody(reply, { through, lineBytes, spoken }, put).then(close, fail)
      return new Response(stream, { headers: { 'content-type': 'application/x-ndjson' } })
    },
  })
}

/**
 * A stream that keeps the order of lines and failure (a controller's own `error()` would throw queued lines away), and
 * takes lines as fast as they come, so that no slow reader ever holds the socket back.
 */
function queuedStream() {
  const encoder = new TextEncoder()
  const lines: string[] = []
  let outcome: { error?: unknown } | undefined
  let wake = () => {}
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (lines.length === 0 && outcome === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
        const line = lines.shift()
        if (line !== undefined) controller.enqueue(encoder.encode(`${line}\n`))
        else if (outcome !== undefined && 'error' in outcome) controller.error(outcome.error)
        else controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  return {
    stream,
    put(line: string) {
      lines.push(line)
      wake()
    },
    close() {
      outcome = {}
      wake()
    },
    fail(error: unknown) {
      outcome = { error }
      wake()
    },
  }
}
