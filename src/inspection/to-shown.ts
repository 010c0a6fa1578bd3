/** What is about to be shown of a conversation. */
export interface Showing {
  kind: 'event' | 'context'
  /** Id of the actor whose it is. */
  actor: string
  /** The event without its type, or the actor's context. */
  payload: unknown
  /** The event's type. */
  type?: string
}

/** Returns what may be shown in place of `payload`. One that throws withholds the payload. */
export type Sanitize = (showing: Showing) => unknown

/** Nothing of ours has these names; what the actors of a program carry may. */
const secretName = /^(api[-_]?key|authorization|bearer|cookie|password|passwd|secret|access[-_]?token)$/i

/** JSON text of a payload as it may be shown: sanitized, without what is named like a secret, cut at `maxChars`. */
export function toShown(showing: Showing, sanitize: Sanitize | undefined, maxChars: number): string {
  let text: string | undefined
  try {
    const payload = sanitize === undefined ? showing.payload : sanitize(showing)
    text = JSON.stringify(payload, shownProperty)
  } catch (error) {
    // Also a payload with a cycle, or a getter that throws.
    return JSON.stringify(`withheld: ${error instanceof Error ? error.name : 'not an Error'} while it was prepared`)
  }
  if (text === undefined) return ''
  return text.length <= maxChars ? text : JSON.stringify(`${text.slice(0, maxChars)}… (${text.length} characters)`)
}

function shownProperty(name: string, value: unknown): unknown {
  if (secretName.test(name)) return '(secret)'
  if (typeof value === 'function') return `(function ${value.name})`
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Error) return { name: value.name, message: value.message }
  return value
}

const wordNames: ReadonlySet<string> = new Set([
  'text',
  'source',
  'gap',
  'heard',
  'content',
  'kept',
  'speaker',
  'finals',
  'partial',
  'takenPartial',
  'arguments',
  'result',
  'problem',
])

/**
 * A ready-made `sanitize`: every text of the caller and the assistant, and of functions, is replaced by its length.
 *
 *     startInspector({ sanitize: withoutWords })
 */
export function withoutWords({ payload }: Showing): unknown {
  return wordless(payload, false)
}

function wordless(value: unknown, isWords: boolean): unknown {
  if (typeof value === 'string') return isWords ? `(${value.length} characters)` : value
  // What a function is given may be a number that was said.
  if (typeof value === 'number') return isWords ? '(a number)' : value
  if (Array.isArray(value)) return value.map((item: unknown) => wordless(item, isWords))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, wordless(inner, isWords || wordNames.has(name))]),
  )
}
