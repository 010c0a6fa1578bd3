import type { Turn } from '../../../machines/vocabulary.ts'
import type { ChatMessage } from '../../backends/contract.ts'
import { repliedMessages } from '../../generation/index.ts'

/**
 * History as models are told it: a turn of the caller, what was called for it in the order in which the model wrote it,
 * and the reply. So a turn is told as its own requests told it, and a server knows the beginning. No call is without its
 * result, and no result without its call; what was overheard meanwhile stands after the reply, in which it played no part.
 */
export function turnMessages(history: readonly Turn[]): ChatMessage[] {
  const starts = history.flatMap((turn, at) => (isCallersTurn(turn) ? [at] : []))
  const first = history.slice(0, starts[0] ?? history.length)
  return [inPlace(first), ...starts.map((start, at) => oneTurn(history.slice(start, starts[at + 1])))].flat()
}

/** What a reply is asked for with: it tells of its own calls itself, and what is overheard meanwhile is for the next. */
export function upToWordsOf(turnId: string, history: readonly Turn[]): readonly Turn[] {
  // A conversation that goes on from an older one may have counted its turns from the same beginning.
  const begin = history.findLastIndex((turn) => turn.role === 'user' && turn.turnId === turnId)
  return begin < 0 ? history : history.slice(0, begin + 1)
}

/** What is overheard belongs to no turn. */
const isCallersTurn = ({ role, turnId }: Turn) => role === 'user' && turnId !== undefined

function oneTurn([words, ...after]: readonly Turn[]): ChatMessage[] {
  if (words === undefined) return []
  const isOf = (role: Turn['role']) => (turn: Turn) => turn.role === role && turn.turnId === words.turnId
  const calls = after.filter(isOf('tool'))
  const reply = after.find(isOf('assistant'))
  const others = after.filter((turn) => turn !== reply && !calls.includes(turn))
  return [
    { role: 'user', content: words.text },
    ...repliedMessages(roundsOf(calls), { text: reply?.text ?? '', isCut: reply?.interrupted === true }),
    ...inPlace(others),
  ]
}

/** Entries that say of no turn that they belong to it: as they come, calls that stand together as one round. */
function inPlace(turns: readonly Turn[]): ChatMessage[] {
  return turns.flatMap((turn, at): ChatMessage[] => {
    if (turn.role !== 'tool') return [{ role: turn.role, content: turn.text }]
    if (isTogether(turns[at - 1], turn)) return []
    const after = turns.slice(at)
    const end = after.findIndex((one) => !isTogether(turn, one))
    return repliedMessages(roundsOf(after.slice(0, end < 0 ? after.length : end)), { text: '', isCut: true })
  })
}

/** Told in the order in which they were done; here in that of the calls. Older logs have no places. */
function roundsOf(turns: readonly Turn[]) {
  const rounds = new Map<number, Turn[]>()
  for (const turn of turns) rounds.set(turn.round ?? 0, [...(rounds.get(turn.round ?? 0) ?? []), turn])
  return [...rounds]
    .toSorted(([one], [other]) => one - other)
    .map(([, called]) => ({
      saidChars: called[0]?.saidChars,
      calls: called
        .toSorted((one, other) => (one.index ?? 0) - (other.index ?? 0))
        .flatMap(({ call, text }) => (call === undefined ? [] : [{ call, result: text }])),
    }))
    .filter(({ calls }) => calls.length > 0)
}

function isTogether(one: Turn | undefined, other: Turn): boolean {
  return one?.role === 'tool' && other.role === 'tool' && one.turnId === other.turnId
}
