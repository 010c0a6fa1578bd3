import { LlmError } from './contract.ts'
import type { Spoken } from './redaction.ts'

/**
 * Ollama: `error parsing tool call: raw='…', err=…`; other servers in much the same words. llama.cpp: `Failed to parse
 * input at pos 12: <tool_call>…`, which without functions is said of any reply.
 */
export function isBadCall(said: string, { calls }: Spoken): boolean {
  if (calls && /\bfailed to parse input at pos/i.test(said)) return true
  return /\b(?:error|fail(?:ed|ure)?)\b.{0,10}\bpars(?:e|ing) (?:the )?(?:tool|function)[ _-]?calls?\b/i.test(said)
}

/** The model wrote a call that its server could not read. What it wrote is not quoted: it holds what was said. */
export function badCall(origin: string, facts: { backend: string; status: number }): LlmError {
  const message = `${origin} could not read the function call that the model wrote; use a model trained for tools.`
  return new LlmError('tool', { ...facts, fault: 'bad-call', retryable: false, message })
}
