import { createActor, setup } from 'xstate'
import { Config, type ConfigInput } from '../../src/config/config.ts'
import type { Backend } from '../../src/backends/contract.ts'
import { createGeneration, type GenerationOptions, type ReplyMark, type Segmenter } from '../../src/generation/index.ts'
import type { ReplyLogic } from '../../machines/reply/logic.ts'
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

/** A generation on scripted backends, with what its replies tell. */
export function replies(
  clock: SettlingClock,
  config: ConfigInput,
  connect: Backend | GenerationOptions['connect'],
  more: Partial<GenerationOptions> = {},
) {
  const generation = createGeneration({
    settings: Config.parse(config),
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
  const logics = new Map<string, ReplyLogic>()

  /** One logic for each conversation, as the runtime has it. */
  function logicOf(id: string): ReplyLogic {
    const logic =
      logics.get(id) ??
      generation.replyLogic({
        id,
        messages: ({ text }) => [...history, { role: 'user', content: text }],
        onDelta: (delta) => listeners.get(delta.replyId)?.delta(delta),
        onMark: (mark) => listeners.get(mark.replyId)?.mark(mark),
        unspokenMs: () => 0,
      })
    logics.set(id, logic)
    return logic
  }

  /** Spawns a reply as a conversation does. */
  function start(input: Partial<ReplyInput> & { conversation?: string } = {}) {
    const reports: ReplyReport[] = []
    const deltas: Delta[] = []
    const marks: ReplyMark[] = []
    const told: ReplyInput = { replyId: 'r1', turnId: 't1', purpose: 'answer', text: 'hello', ...input }
    listeners.set(told.replyId, { delta: (delta) => deltas.push(delta), mark: (mark) => marks.push(mark) })
    const reply = logicOf(input.conversation ?? 'c1')
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
