import { z } from 'zod'
import type { SpeechEvent } from '../../machines/vocabulary.ts'

const conversationId = z.string().min(1).max(200)
const common = { conversationId: conversationId.optional(), atMs: z.number().optional() }
/** What is left of an event that is refused. */
const Claim = z.object({ conversationId })

/** The six events that may come in; a text longer than `utteranceChars` is refused. */
function speechSchema(utteranceChars: number) {
  const text = z.string().max(utteranceChars, { error: `is longer than limits.utteranceChars (${utteranceChars})` })
  const speaker = z.string().max(200).optional()
  return z.discriminatedUnion('type', [
    z.object({ type: z.literal('SPEECH_STARTED'), ...common }),
    z.object({ type: z.literal('SPEECH_PARTIAL'), text, ...common }),
    z.object({ type: z.literal('SPEECH_DETECTED'), text, speaker, ...common }),
    z.object({ type: z.literal('SPEECH_ENDED'), ...common }),
    z.object({ type: z.literal('AMBIENT_SPEECH_DETECTED'), text, speaker, ...common }),
    z.object({ type: z.literal('SYSTEM_STOPPED'), ...common }),
  ])
}

/** What is refused still says which conversation it was meant for, where that can be read. */
export type ParsedSpeech = { ok: true; event: SpeechEvent } | { ok: false; message: string; conversationId?: string }

/** One for a service: its schema is too heavy to have for each conversation. */
export type SpeechParser = (raw: unknown) => ParsedSpeech

/**
 * The edge: what a speech source, the bus or the wire sent becomes a SpeechEvent, or a refusal in one line that names
 * the field and never the words.
 */
export function createSpeechParser(utteranceChars: number): SpeechParser {
  const schema = speechSchema(utteranceChars)

  function parse(raw: unknown): ParsedSpeech {
    const parsed = schema.safeParse(raw)
    if (parsed.success) return { ok: true, event: withoutUndefined(parsed.data) }
    const [issue] = parsed.error.issues
    const field = issue?.path.join('.') || 'event'
    const isUnknownType = issue?.code === 'invalid_union'
    const what = isUnknownType ? 'is not one of the six known types' : whatIsWrong(issue)
    return { ok: false, message: `speech event refused: ${field} ${what}`, ...Claim.safeParse(raw).data }
  }

  return (raw) => {
    try {
      return parse(raw)
    } catch {
      // A getter or a proxy that throws when it is read.
      return { ok: false, message: 'speech event refused: it cannot be read' }
    }
  }
}

function whatIsWrong(issue: { code: string; message: string } | undefined): string {
  if (issue?.code === 'too_big') return issue.message
  return issue?.code === 'invalid_type' ? 'is missing or has the wrong type' : 'is not valid'
}

/** Zod gives an absent optional as absent, but its type allows undefined, which ours does not. */
function withoutUndefined(event: z.output<ReturnType<typeof speechSchema>>): SpeechEvent {
  const { conversationId, atMs } = event
  const where = { ...(conversationId === undefined ? {} : { conversationId }), ...(atMs === undefined ? {} : { atMs }) }
  switch (event.type) {
    case 'SPEECH_STARTED':
    case 'SPEECH_ENDED':
    case 'SYSTEM_STOPPED':
      return { type: event.type, ...where }
    case 'SPEECH_PARTIAL':
      return { type: event.type, text: event.text, ...where }
    case 'SPEECH_DETECTED':
    case 'AMBIENT_SPEECH_DETECTED':
      return {
        type: event.type,
        text: event.text,
        ...(event.speaker === undefined ? {} : { speaker: event.speaker }),
        ...where,
      }
  }
}
