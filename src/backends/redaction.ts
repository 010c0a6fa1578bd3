import type { ChatRequest } from './contract.ts'

/** What must not reach a message: keys always, and the words of the caller. */
export interface Privacy {
  secrets: readonly string[]
  spoken: Spoken
}

/** What a request says that no error may repeat. */
export interface Spoken {
  /** A server that repeats these in its error is not quoted. */
  words: readonly string[]
  /** Functions are in play. A server that fails may quote what the model just wrote for a call, which nobody knows yet. */
  calls: boolean
}

export const nothingSpoken: Spoken = { words: [], calls: false }

const overlapChars = 16

/** One line of at most `max` characters. */
export function oneLine(text: string, max = 200): string {
  const line = text.replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim()
  return line.length > max ? `${line.slice(0, max - 1)}…` : line
}

export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text
  for (const secret of secrets) {
    if (secret === '') continue
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]) {
      clean = clean.replaceAll(form, '[secret]')
    }
  }
  return clean
}

/**
 * A server that could not read what the model wrote, and now shows it. Without functions too: llama.cpp reads every reply
 * so (`Failed to parse input at pos 7: …`).
 */
const showsReply = /\b(?:fail(?:ed|ure) to parse|error parsing)\b/i
/** The same, but for llama.cpp's words of a request that it could not read: there is no reply yet. */
const showsPlainReply = /\b(?:fail(?:ed|ure) to parse|error parsing)\b(?! (?:grammar|messages)\b)/i

/** What a server said of its error, fit for a message: '' where it repeats what was spoken. */
export function quotable(text: string, { secrets, spoken }: Privacy): string {
  if ((spoken.calls ? showsReply : showsPlainReply).test(text)) return ''
  const line = oneLine(withoutSecrets(text, secrets), 300)
  const folded = line.toLowerCase()
  const clips = clipsOf(folded)
  for (const words of spoken.words) {
    const said = oneLine(words, 100_000).toLowerCase()
    if (said.length < 3) continue
    if (said.length <= folded.length && folded.includes(said)) return ''
    // a server may clip what it repeats
    for (let at = 0; at + overlapChars <= said.length; at++) {
      if (clips.has(said.slice(at, at + overlapChars))) return ''
    }
  }
  return oneLine(line)
}

/** Every stretch of `overlapChars` in a text. */
function clipsOf(text: string): Set<string> {
  const clips = new Set<string>()
  for (let at = 0; at + overlapChars <= text.length; at++) clips.add(text.slice(at, at + overlapChars))
  return clips
}

/**
 * An error to keep as `cause`: name, message and code alone. Node's own errors may carry the raw bytes of a reply
 * (`rawPacket`), and with them a transcript.
 */
export function plainCause(error: unknown, secrets: readonly string[]): Error {
  const plain = new Error(oneLine(withoutSecrets(error instanceof Error ? error.message : String(error), secrets)))
  if (error instanceof Error) plain.name = error.name
  return Object.assign(plain, { code: errorCode(error) })
}

/** `code` of a Node error, '' where there is none. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}

/** What the caller said and heard, and what functions were given and gave: an error message must not repeat it. */
export function spokenIn({ messages, tools = [] }: ChatRequest): Spoken {
  const said = messages.filter(({ role }) => role !== 'system')
  return {
    words: said.flatMap(({ content, toolCalls = [] }) => [
      content,
      ...toolCalls.map(({ arguments: given }) => (typeof given === 'string' ? given : JSON.stringify(given))),
    ]),
    // A model that called before may do so again, though it is offered nothing.
    calls: tools.length > 0 || said.some(({ role }) => role === 'tool'),
  }
}
