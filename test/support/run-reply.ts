import { createActor, setup } from 'xstate'
import { Config, type ConfigInput } from '../../src/config/config.ts'
import type { Backend } from '../../src/backends/contract.ts'
import {
  createGeneration,
  createToolbox,
  holdDeltas,
  type Character,
  type GenerationOptions,
  type ReplyConversation,
  type ReplyMark,
  type Segmenter,
} from '../../src/generation/index.ts'
import type { Delta, ReplyCommand, ReplyInput, ReplyReport } from '../../machines/vocabulary.ts'
import type { SettlingClock } from './settling-clock.ts'

/** Cuts at every full stop: enough to see which segments a reply makes. */
export function stopSegmenter(): Segmenter {
  let open = ''
  let index = 0
  const cut = (source: string) => {
    const text = source.trim()
    return { index, text, source: text, gap: index++ === 0 ? '' : ' ' }
  }
  return {
    push(delta) {
      open += delta
      const whole = open.split(/(?<=[.!?])\s+(?=\S)/u)
      open = whole.pop() ?? ''
      return whole.map(cut)
    },
    end: () => (open.trim() === '' ? [] : [cut(open)]),
  }
}

/** What a generation and the conversations on it may have beside settings. */
export type ReplyExtras = Partial<GenerationOptions & Pick<Character, 'toolbox' | 'facts'>>

/** A generation on scripted backends, with what its replies tell. */
export function replies(
  clock: SettlingClock,
  config: ConfigInput,
  connect: Backend | GenerationOptions['connect'],
  { toolbox = createToolbox(), facts, ...more }: ReplyExtras = {},
) {
  const character: Character = { settings: Config.parse(config), toolbox, facts }
  const generation = createGeneration({
    settings: character.settings,
    conversationOf,
    clock,
    random: () => 0.5,
    connect: typeof connect === 'function' ? connect : async () => connect,
    createSegmenter: stopSegmenter,
    ...more,
  })
  const xstateClock = {
    setTimeout: (run: () => void, ms: number) => clock.schedule(run, ms),
    clearTimeout: (cancel: () => void) => cancel(),
  }
  const history: { role: 'user' | 'assistant'; content: string }[] = []

  const listeners = new Map<string, { delta(delta: Delta): void; mark(mark: ReplyMark): void }>()
  const conversations = new Map<string, ReplyConversation>()

  function conversationOf(id: string): ReplyConversation {
    const hold = holdDeltas((delta) => listeners.get(delta.replyId)?.delta(delta))
    const conversation = conversations.get(id) ?? {
      id,
      ...hold,
      characterOf: () => character,
      messages: ({ text }) => [...history, { role: 'user', content: text }],
      onMark: (mark) => listeners.get(mark.replyId)?.mark(mark),
      unspokenMs: () => 0,
    }
    conversations.set(id, conversation)
    return conversation
  }

  /** Spawns a reply as a conversation does. */
  function start({
    conversation: conversationId = 'c1',
    ...input
  }: Partial<ReplyInput> & { conversation?: string } = {}) {
    const reports: ReplyReport[] = []
    const deltas: Delta[] = []
    const marks: ReplyMark[] = []
    const words = { purpose: 'answer', text: 'hello' } as const
    const told: ReplyInput = { conversationId, replyId: 'r1', turnId: 't1', ...words, ...input }
    listeners.set(told.replyId, { delta: (delta) => deltas.push(delta), mark: (mark) => marks.push(mark) })
    const reply = generation.replyLogic
    const parent = setup({ types: { events: {} as ReplyReport | ReplyCommand }, actors: { reply } }).createMachine({
      invoke: { src: 'reply', id: 'reply', input: told },
      on: { '*': { actions: ({ event }) => 'replyId' in event && reports.push(event) } },
    })
    const actor = createActor(parent, { clock: xstateClock }).start()
    const child = actor.getSnapshot().children['reply']
    return {
      reports,
      deltas,
      marks,
      types: () => reports.map(({ type }) => type),
      segments: () => reports.flatMap((report) => (report.type === 'REPLY_SEGMENT' ? [report.segment.source] : [])),
      last: () => reports.at(-1),
      commit: () => child?.send({ type: 'REPLY_COMMITTED' }),
      adopt: () => child?.send({ type: 'REPLY_ADOPTED' }),
      stop: () => actor.stop(),
      state: (): unknown => child?.getSnapshot().value,
    }
  }
  return { generation, start, history }
}
