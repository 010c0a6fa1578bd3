/** What programs give to a conversation, checked at the edge. */
import { z } from 'zod'
import type { Turn } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { hasMethods } from '../runtime/collaborators/check.ts'
import { StoredTurn } from '../persistence/record.ts'

/** Throws LlmError `bad-input` for words that are none, or too many. From JavaScript anything may come. */
export function givenText(text: unknown, utteranceChars: number): string {
  if (typeof text !== 'string') throw new LlmError('bad-input', { message: 'the text is not a string' })
  if (text.trim() === '') throw new LlmError('bad-input', { message: 'the text is empty; give at least one word' })
  if (text.length > utteranceChars) {
    const message = `the text is longer than limits.utteranceChars (${utteranceChars}); shorten it or raise the limit`
    throw new LlmError('bad-input', { message })
  }
  return text
}

/** Throws LlmError `bad-input` for a signal that is none. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || hasMethods(signal, 'addEventListener', 'removeEventListener')) return
  throw new LlmError('bad-input', { message: 'signal must be an AbortSignal' })
}

/** As rows of a database have it: with fields that are there and say nothing. */
const GivenTurn = z
  .looseObject({})
  .transform((entry) => Object.fromEntries(Object.entries(entry).filter(([name, value]) => says(name, value))))
  .pipe(StoredTurn)

const says = (name: string, value: unknown) => value !== undefined && !(name === 'interrupted' && value === false)

/** Throws LlmError `config` that names the entry which is none of history. */
export function givenHistory(history: readonly Turn[] = []): readonly Turn[] {
  const given = GivenTurn.array().safeParse(history)
  if (given.success) return given.data
  const [at, field] = given.error.issues[0]?.path ?? []
  const what = `history[${String(at ?? 0)}]${field === undefined ? '' : `.${String(field)}`}`
  const message = `${what} is not an entry of history; give { role: 'user' or 'assistant', text }`
  throw new LlmError('config', { message })
}

/** What whoever begins a turn is answered while the service drains. */
export function draining(): LlmError {
  return new LlmError('overloaded', { message: 'the service drains and takes no new turns; ask another one' })
}
