import { z } from 'zod'
import type { BackendEnd, BackendRecord } from '../contract.ts'
import { badRecord, noEnd, wrongContentType, type Exchange } from '../exchange.ts'
import type { HttpReply } from '../http.ts'
import { lineTooLong } from '../lines.ts'
import { errorRecord } from '../error-record.ts'
import { finishReason, followChunks, OpenAiChunk, OpenAiUsage } from './records.ts'
import type { Spoken } from '../redaction.ts'
import { readSse } from '../sse.ts'
import { parseJson } from '../status-faults.ts'
import { readWhole } from '../whole-reply.ts'

export interface OpenAiBodyOptions {
  through: Exchange
  lineBytes: number
  model: string
  spoken: Spoken
  report(record: BackendRecord): void
}

/** Reads a chat completion: server-sent events, or the reply whole where the server answers so. */
export async function readOpenAiBody(reply: HttpReply, options: OpenAiBodyOptions): Promise<BackendEnd> {
  const { contentType } = reply
  if (/html|xml|ndjson|^(?:image|audio|video)\//.test(contentType)) throw wrongContentType(options.through, reply)
  if (contentType === 'text/event-stream') return readEvents(reply, options)
  if (contentType.endsWith('json')) return readWholeBody(reply, options)
  return readUnnamed(reply, options)
}

const isSpace = (byte: number) => byte <= 32

/** No usable content type: the first character tells a JSON object from events. */
function readUnnamed(reply: HttpReply, options: OpenAiBodyOptions): Promise<BackendEnd> {
  let chosen: ReturnType<typeof eventReader> | undefined
  return follow(reply, {
    take(bytes) {
      if (chosen === undefined) {
        const first = bytes.find((byte) => !isSpace(byte))
        if (first === undefined) return false
        chosen = first === 0x7b ? wholeReader(options) : eventReader(options)
      }
      return chosen.take(bytes)
    },
    over: () => {
      if (chosen === undefined) throw noEnd(options.through)
      return chosen.over()
    },
    survives: () => chosen?.survives() ?? false,
  })
}

const readEvents = (reply: HttpReply, options: OpenAiBodyOptions) => follow(reply, eventReader(options))
const readWholeBody = (reply: HttpReply, options: OpenAiBodyOptions) => follow(reply, wholeReader(options))

interface Reader {
  /** True: the end has been seen. */
  take(bytes: Uint8Array): boolean
  /** The facts of the end; throws where there was none. */
  over(): BackendEnd
  /** The reply is complete, so that a fault of the connection does no harm any more. */
  survives(): boolean
}

async function follow(reply: HttpReply, reader: Reader): Promise<BackendEnd> {
  try {
    await reply.read((bytes) => reader.take(bytes))
  } catch (error) {
    if (!reader.survives()) throw error
  }
  return reader.over()
}

function eventReader({ through, lineBytes, model, spoken, report }: OpenAiBodyOptions): Reader {
  const chunks = followChunks(model, lineBytes, report)
  let done = false
  let atEnd = false
  const failed = (said: string) => errorRecord(said, through, { secrets: through.transport.secrets, spoken })
  const onData = (data: string, event: string | undefined) => {
    if (done || data.trim() === '') return
    if (data.trim() === '[DONE]') {
      done = true
      return
    }
    const value = parseJson(data)
    if (value === undefined && atEnd) return
    if (value === undefined) throw badRecord(through)
    const parsed = OpenAiChunk.safeParse(value)
    if (!parsed.success) throw badRecord(through, 'a record of an unknown form')
    const { error } = parsed.data
    if (error != null) throw failed(typeof error === 'string' ? error : (error.message ?? ''))
    if (event === 'error') throw failed('')
    // after the finish reason only the usage is of interest
    chunks.take(chunks.finished() ? { ...parsed.data, choices: [] } : parsed.data)
    if (chunks.finished() && chunks.counted()) done = true
  }
  const events = readSse(lineBytes, {
    onData,
    onUnknownField(field, value) {
      if (done) return
      if (field === 'error') throw failed(value)
      // JSON without `data:` is a server that speaks another dialect
      if (field.startsWith('{') && !atEnd) throw badRecord(through)
    },
  })
  return {
    take(bytes) {
      events.feed(bytes)
      return done
    },
    over() {
      atEnd = true
      if (!done) events.end()
      if (!done && !chunks.finished()) throw noEnd(through)
      return chunks.end()
    },
    survives: () => done || chunks.finished(),
  }
}

const usageOnly = z.looseObject({ usage: OpenAiUsage })

function wholeReader({ through, lineBytes, model, spoken, report }: OpenAiBodyOptions): Reader {
  const pieces: Uint8Array[] = []
  let length = 0
  return {
    take(bytes) {
      length += bytes.length
      if (length > lineBytes) throw lineTooLong(lineBytes)
      pieces.push(bytes)
      return false
    },
    over() {
      const value = parseJson(new TextDecoder().decode(Buffer.concat(pieces)))
      if (value === undefined) throw length === 0 ? noEnd(through) : badRecord(through)
      const chunk = OpenAiChunk.safeParse(value)
      const error = chunk.success ? chunk.data.error : undefined
      if (error != null) {
        const said = typeof error === 'string' ? error : (error.message ?? '')
        throw errorRecord(said, through, { secrets: through.transport.secrets, spoken })
      }
      const whole = readWhole(value)
      if (whole === undefined) throw badRecord(through, 'a reply of an unknown form')
      if (whole.thinking !== '') report({ type: 'delta', kind: 'thinking', text: whole.thinking })
      if (whole.text !== '') report({ type: 'delta', kind: 'text', text: whole.text })
      if (whole.calls.length > 0) report({ type: 'tool-calls', calls: whole.calls })
      const counted = usageOnly.safeParse(value)
      const usage = counted.success ? counted.data.usage : undefined
      const cached = usage?.prompt_tokens_details?.cached_tokens
      return {
        model: whole.model ?? model,
        finishReason: finishReason(whole.finishReason, whole.calls.length > 0),
        usage: {
          ...(usage?.prompt_tokens == null ? {} : { promptTokens: usage.prompt_tokens }),
          ...(cached == null ? {} : { cachedPromptTokens: cached }),
          ...(usage?.completion_tokens == null ? {} : { replyTokens: usage.completion_tokens }),
        },
      }
    },
    survives: () => false,
  }
}
