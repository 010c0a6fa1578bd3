import type { Ollama } from 'ollama'
import type { BackendEnd, BackendRecord, ChatRequest } from '../contract.ts'
import { noEnd, type Exchange } from '../exchange.ts'
import { onOwnSocket } from '../own-socket.ts'
import { ollamaClient } from './client.ts'
import { spokenIn } from '../redaction.ts'
import { followRecords, OllamaRecord } from './records.ts'

export interface OllamaStream {
  through: Exchange
  lineBytes: number
  request: ChatRequest
  on(record: BackendRecord): void
  signal: AbortSignal
}

/** What the client answers to one call: records one by one, or the reply whole. */
type Called = Promise<AsyncIterable<unknown> | object>

/** One call of the official client, read to its end record. Whatever ends it early closes the socket. */
export function streamOllama(
  { through, lineBytes, request, on, signal }: OllamaStream,
  call: (client: Ollama) => Called,
): Promise<BackendEnd> {
  const { model } = request
  const spoken = spokenIn(request)
  const report = (record: BackendRecord) => {
    if (!signal.aborted) on(record)
  }
  return onOwnSocket(signal, async (own) => {
    const client = ollamaClient({ through, lineBytes, model, spoken, on: report, signal: own })
    const follow = followRecords(model, lineBytes, report)
    const answer = await call(client)
    for await (const record of Symbol.asyncIterator in answer ? answer : [answer]) {
      signal.throwIfAborted()
      const end = follow(OllamaRecord.parse(record))
      if (end !== undefined) return end
    }
    throw noEnd(through)
  })
}
