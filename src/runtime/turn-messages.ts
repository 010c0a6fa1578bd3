import type { Turn } from '../../machines/vocabulary.ts'
import type { ChatMessage } from '../backends/contract.ts'

/**
 * History as models are told it. The functions called for one turn, which are an entry each, become one message with
 * all calls and then a message for each result: no call without its result, no result without its call.
 */
export function turnMessages(history: readonly Turn[]): ChatMessage[] {
  return history.flatMap((turn, at): ChatMessage[] => {
    if (turn.role !== 'tool') return [{ role: turn.role, content: turn.text }]
    if (isSameRound(history[at - 1], turn)) return []
    const after = history.slice(at)
    const end = after.findIndex((one) => !isSameRound(turn, one))
    const calls = after
      .slice(0, end < 0 ? after.length : end)
      .flatMap(({ call, text }) => (call === undefined ? [] : [{ call, text }]))
    if (calls.length === 0) return []
    return [
      { role: 'assistant', content: '', toolCalls: calls.map(({ call }) => call) },
      ...calls.map(({ call: { id, name }, text }): ChatMessage => {
        return { role: 'tool', content: text, toolCallId: id, toolName: name }
      }),
    ]
  })
}

/** What was called for the turn that is being answered: its reply tells the model of it, round by round. */
export function withoutCallsOf(turnId: string, history: readonly Turn[]): readonly Turn[] {
  // A conversation that goes on from an older one may have counted its turns from the same beginning.
  const begin = history.findLastIndex((turn) => turn.role === 'user' && turn.turnId === turnId)
  return begin < 0
    ? history
    : history.filter((turn, at) => at < begin || turn.role !== 'tool' || turn.turnId !== turnId)
}

function isSameRound(one: Turn | undefined, other: Turn): boolean {
  return one?.role === 'tool' && other.role === 'tool' && one.turnId === other.turnId
}
