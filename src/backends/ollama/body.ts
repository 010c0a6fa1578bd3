import { errorRecord } from '../error-record.ts'
import { badRecord, noEnd, wrongContentType, type Exchange } from '../exchange.ts'
import type { HttpReply } from '../http.ts'
import { lineTooLong, splitLines } from '../lines.ts'
import { OllamaRecord } from './records.ts'
import type { Privacy, Spoken } from '../redaction.ts'
import { parseJson } from '../status-faults.ts'
import { readWhole } from '../whole-reply.ts'

export interface BodyOptions {
  through: Exchange
  lineBytes: number
  spoken: Spoken
}

/**
 * Splits and validates a reply's body before the official client sees it: that one drops what it cannot parse, grows
 * without bound on a line that never ends, and loses a server's status. Hands on every record as one line of JSON, and
 * resolves when the end record has been handed on.
 *
 * A server that answers whole may write any of the three forms, on one line or many; it is handed on as an end record.
 */
export async function readOllamaBody(
  reply: HttpReply,
  { through, lineBytes, spoken }: BodyOptions,
  onLine: (line: string) => void,
): Promise<void> {
  if (/html|xml|event-stream|^(?:image|audio|video)\//.test(reply.contentType)) throw wrongContentType(through, reply)
  const privacy: Privacy = { secrets: through.transport.secrets, spoken }
  const mayBeWhole = reply.contentType !== 'application/x-ndjson'
  let ended = false
  let atEnd = false
  let records = 0
  // a first record without `done` may be the whole reply: it waits until another record comes, or none
  let lone: unknown
  let collected = ''

  const whole = (value: unknown): boolean => {
    const read = readWhole(value)
    if (read === undefined) return false
    const calls = read.calls.map(({ id, name, arguments: given }) => ({ id, function: { name, arguments: given } }))
    const { text, thinking, finishReason, model } = read
    const message = { content: text, thinking, ...(calls.length > 0 ? { tool_calls: calls } : {}) }
    onLine(JSON.stringify({ ...read.record, model, message, response: text, done: true, done_reason: finishReason }))
    ended = true
    return true
  }
  const line = (written: string) => {
    if (ended) return
    const value = collected === '' ? parseJson(written) : undefined
    if (value === undefined) {
      if (atEnd && records > 0) throw noEnd(through)
      if (!mayBeWhole || records > 0) throw badRecord(through)
      collected += `${written}\n`
      if (collected.length > lineBytes) throw lineTooLong(lineBytes)
      return
    }
    const parsed = OllamaRecord.safeParse(value)
    if (!parsed.success) throw badRecord(through, 'a record of an unknown form')
    const { error, done } = parsed.data
    if (error !== undefined)
      throw errorRecord(typeof error === 'string' ? error : (error.message ?? ''), through, privacy)
    records += 1
    if (lone !== undefined) onLine(JSON.stringify(lone))
    lone = undefined
    if (done == null && records === 1 && mayBeWhole) {
      lone = value
      return
    }
    onLine(written)
    ended = done === true
  }

  const lines = splitLines(lineBytes, line)
  await reply.read((bytes) => {
    lines.feed(bytes)
    return ended
  })
  atEnd = true
  lines.end()
  if (ended) return
  if (lone !== undefined && whole(lone)) return
  if (collected === '') throw noEnd(through)
  const value = parseJson(collected)
  if (value === undefined) throw badRecord(through)
  const parsed = OllamaRecord.safeParse(value)
  const error = parsed.success ? parsed.data.error : undefined
  if (error !== undefined)
    throw errorRecord(typeof error === 'string' ? error : (error.message ?? ''), through, privacy)
  if (!whole(value)) throw badRecord(through, 'a reply of an unknown form')
}
