import { readFileSync } from 'node:fs'
import type { BackendEnd, BackendRecord } from '../../src/backends/contract.ts'
import type { HttpReply, Transport } from '../../src/backends/http.ts'
import { parseAddress } from '../../src/backends/address.ts'
import { readOllamaBody } from '../../src/backends/ollama/body.ts'
import { followRecords, OllamaRecord } from '../../src/backends/ollama/records.ts'
import { readOpenAiBody } from '../../src/backends/openai/body.ts'
import { nothingSpoken } from '../../src/backends/redaction.ts'

const address = parseAddress('http://127.0.0.1:11434')
const transport: Transport = { address, secrets: [], open: () => Promise.reject(new Error('no network here')) }

export const wire = (name: string): Uint8Array => readFileSync(new URL(`../fixtures/wire/${name}`, import.meta.url))

/** A reply whose body comes in these pieces. */
function replyOf(contentType: string, pieces: Iterable<Uint8Array>): HttpReply {
  return {
    status: 200,
    contentType,
    header: () => undefined,
    hurry: () => undefined,
    async read(onBytes) {
      for (const piece of pieces) if (onBytes(piece) === true) return
    },
  }
}

export interface Outcome {
  deltas: string[]
  end?: BackendEnd
  error?: unknown
}

export type BodyKind = 'ndjson' | 'sse'

/** What a dialect makes of a body, without any socket. */
export async function readBody(kind: BodyKind, pieces: Iterable<Uint8Array>, lineBytes = 65_536, contentType?: string) {
  const deltas: string[] = []
  const report = (record: BackendRecord) => {
    if (record.type === 'delta') deltas.push(`${record.kind}:${record.text}`)
  }
  const outcome: Outcome = { deltas }
  try {
    if (kind === 'sse') {
      const reply = replyOf(contentType ?? 'text/event-stream', pieces)
      const through = { transport, backend: 'openai' }
      outcome.end = await readOpenAiBody(reply, { through, lineBytes, model: 'm1', spoken: nothingSpoken, report })
    } else {
      const follow = followRecords('m1', lineBytes, report)
      const through = { transport, backend: 'ollama-chat' }
      const reply = replyOf(contentType ?? 'application/x-ndjson', pieces)
      await readOllamaBody(reply, { through, lineBytes, spoken: nothingSpoken }, (line) => {
        const end = follow(OllamaRecord.parse(JSON.parse(line)))
        if (end !== undefined) outcome.end = end
      })
    }
  } catch (error) {
    outcome.error = error
  }
  return outcome
}

/** Cuts bytes at the places given as parts of the whole. */
export function cutAt(bytes: Uint8Array, parts: readonly number[]): Uint8Array[] {
  const places = [...new Set(parts.map((part) => Math.floor(part * bytes.length)))].toSorted((a, b) => a - b)
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length))
}
