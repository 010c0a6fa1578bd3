import { createParser } from 'eventsource-parser'
import { lineTooLong } from './lines.ts'

const lineFeed = 10
const carriageReturn = 13

export interface SseHandlers {
  onData(data: string, event: string | undefined): void
  /** A line whose field the standard does not know; llama.cpp writes `error: {…}` so. */
  onUnknownField(field: string, value: string): void
}

/**
 * Server-sent events from bytes, however they were sliced: comments, blank lines, CR, LF and CRLF as in the standard.
 * A line, or the lines of one event together, over the limit throw; memory stays bounded.
 */
export function readSse(limitBytes: number, { onData, onUnknownField }: SseHandlers) {
  const decoder = new TextDecoder()
  let lineBytes = 0
  let tooLong = false
  const parser = createParser({
    maxBufferSize: limitBytes,
    onEvent: ({ data, event }) => onData(data, event),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') tooLong = true
      if (error.type === 'unknown-field') onUnknownField(error.field ?? '', error.value ?? '')
    },
  })
  const feed = (text: string) => {
    parser.feed(text)
    if (tooLong) throw lineTooLong(limitBytes)
  }
  return {
    feed(bytes: Uint8Array): void {
      for (const byte of bytes) {
        lineBytes = byte === lineFeed || byte === carriageReturn ? 0 : lineBytes + 1
        if (lineBytes > limitBytes) throw lineTooLong(limitBytes)
      }
      feed(decoder.decode(bytes, { stream: true }))
    },
    /** The body is over. An event without its blank line counts: servers that forget it mean it. */
    end(): void {
      feed(`${decoder.decode()}\n\n`)
    },
  }
}
