import { callsToRun, type CallRound } from '../../machines/tool-calls.ts'
import type { ToolCall } from '../../machines/vocabulary.ts'
import type { ChatMessage } from '../backends/contract.ts'

/** What a model said and had called at once, and what came of it. */
interface ToldRound {
  text: string
  /** In the order in which the model wrote them, whichever was done first. */
  calls: readonly { call: ToolCall; result: string }[]
}

const unreadable: ChatMessage = {
  role: 'user',
  content:
    '(Your function call was no valid JSON and could not be read. Call again with valid JSON, or answer in words.)',
}

/** One round as the model is told it, by the reply that called and by every later turn: the same bytes. */
export function toldRound({ text, calls }: ToldRound): ChatMessage[] {
  return [
    {
      role: 'assistant',
      content: text,
      toolCalls: calls.map(({ call: { id, name, arguments: given } }) => ({ id, name, arguments: given })),
    },
    ...calls.map(({ call: { id, name }, result }): ChatMessage => {
      return { role: 'tool', content: result, toolCallId: id, toolName: name }
    }),
  ]
}

/** What was called in the course of a reply, and what was wrong with it where it could not be called. */
export function roundMessages(rounds: readonly CallRound[]): ChatMessage[] {
  return rounds.flatMap(({ text, calls, answers }): ChatMessage[] => {
    if (calls.length === 0) return [...(text === '' ? [] : [{ role: 'assistant' as const, content: text }]), unreadable]
    return toldRound({
      text,
      calls: calls.map((call) => ({ call, result: call.problem ?? resultOf(call, answers) })),
    })
  })
}

/** The same with the reply that came after it, as history will have it when all of it was heard. */
export function rememberedMessages(rounds: readonly CallRound[], reply: string): ChatMessage[] {
  const done = rounds
    .map((round) => ({ round, calls: callsToRun(round) }))
    .filter(({ calls }) => calls.length > 0)
    .map(({ round: { answers, saidChars }, calls }) => ({
      saidChars,
      calls: calls.map((call) => ({ call, result: resultOf(call, answers) })),
    }))
  return repliedMessages(done, { text: reply, isCut: false })
}

/**
 * Rounds and what was heard of their reply. What was said before a call stands with the call, as it did when the call
 * was made; `saidChars` is how much of the reply that was.
 */
export function repliedMessages(
  rounds: readonly { saidChars?: number | undefined; calls: ToldRound['calls'] }[],
  { text: heard, isCut }: { text: string; isCut: boolean },
): ChatMessage[] {
  let from = 0
  const messages = rounds.flatMap(({ saidChars: end = 0, calls }) => {
    // What was said before may have been taken back before anybody heard it, and other words have come in its place.
    const isEnd = end > from && (end < heard.length ? /\s/u.test(heard.charAt(end)) : isCut)
    const text = isEnd ? heard.slice(from, end).trim() : ''
    if (isEnd) from = end
    return toldRound({ text, calls })
  })
  const rest = heard.slice(from).trim()
  return rest === '' ? messages : [...messages, { role: 'assistant', content: rest }]
}

function resultOf({ id }: ToolCall, answers: CallRound['answers']): string {
  return answers.find(({ call }) => call.id === id)?.result ?? ''
}
