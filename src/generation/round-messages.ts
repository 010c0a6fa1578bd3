import type { CallRound } from '../../machines/tool-calls.ts'
import type { ChatMessage } from '../backends/contract.ts'

const unreadable: ChatMessage = {
  role: 'user',
  content:
    '(Your function call was no valid JSON and could not be read. Call again with valid JSON, or answer in words.)',
}

/** What was called in the course of a reply, as the model is told: what it said and wanted, and then each result. */
export function roundMessages(rounds: readonly CallRound[]): ChatMessage[] {
  return rounds.flatMap(({ text, calls, answers }): ChatMessage[] => {
    if (calls.length === 0) return [...(text === '' ? [] : [{ role: 'assistant' as const, content: text }]), unreadable]
    const toolCalls = calls.map(({ id, name, arguments: given }) => ({ id, name, arguments: given }))
    const results = calls.map(({ id, name, problem }): ChatMessage => {
      const answer = answers.find(({ call }) => call.id === id)
      return { role: 'tool', content: problem ?? answer?.result ?? '', toolCallId: id, toolName: name }
    })
    return [{ role: 'assistant', content: text, toolCalls }, ...results]
  })
}
