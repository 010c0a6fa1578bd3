import fc from 'fast-check'
import { Subject } from 'rxjs'
import { expect, test } from 'vitest'
import type { SpeechEvent } from '../../machines/vocabulary.ts'
import { defineTool } from '../../src/generation/tools.ts'
import type { ChatMessage, ChatRequest } from '../../src/backends/contract.ts'
import { createLlmService } from '../../src/runtime/service.ts'
import { scriptedBackend, virtualClock, type ScriptedAnswer } from '../../src/testing/index.ts'
import { laterBy } from '../../src/testing/virtual-clock.ts'
import { place } from './functions.ts'

const overheard: SpeechEvent = { type: 'AMBIENT_SPEECH_DETECTED', text: 'television says this' }
/** A call: how long its function takes, and how many words it gives. */
const call = fc.record({ ms: fc.constantFrom(0, 10, 300, 2_000), words: fc.constantFrom(1, 20, 900) })
const round = fc.record({
  said: fc.constantFrom('', 'Let me look.', 'One moment. I ask **two** of them'),
  calls: fc.array(call, { minLength: 1, maxLength: 3 }),
})
const turn = fc.record({
  rounds: fc.array(round, { maxLength: 3 }),
  reply: fc.constantFrom('It rains.', 'No. It is dry, and it stays so.', 'word '.repeat(120)),
  /** When somebody beside the caller is overheard, after the turn began. */
  overheardAtMs: fc.option(fc.integer({ min: 0, max: 4_000 })),
})
type Turns = typeof turn extends fc.Arbitrary<infer One> ? One[] : never

/** The answers of the model in one turn: a request for each round, and the words. */
function answersOf({ rounds, reply }: Turns[number]): ScriptedAnswer[] {
  const calling = rounds.map(({ said, calls }) => ({
    text: said,
    toolCalls: calls.map(({ ms, words }, at) => ({
      id: `call-${at}`,
      name: 'give',
      arguments: { city: `${ms} ${words}` },
    })),
  }))
  return [...calling, { text: reply }]
}

/** Has a whole conversation; returns the prompts of each turn, and what was read ahead after it. */
async function talked(turns: Turns, contextTokens: number) {
  const clock = virtualClock()
  let minute = 0
  const give = defineTool({
    description: 'Gives words.',
    parameters: place,
    run: async ({ city }) => {
      const [ms = 0, words = 1] = city.split(' ').map(Number)
      if (ms > 0) await new Promise<void>((resolve) => clock.schedule(resolve, ms))
      return 'rain '.repeat(words)
    },
  })
  const ahead: ChatMessage[][] = []
  const backend = scriptedBackend({ replies: [...turns.flatMap(answersOf), { text: 'Yes.' }] }, clock)
  const prewarm = async ({ messages }: ChatRequest) => void ahead.push(structuredClone(messages))
  const service = createLlmService({
    clock: laterBy(clock, 1_700_000_000_000.5),
    backend: Object.assign(backend, { prewarm }),
    tools: { give },
    ambient: { policy: 'context' },
    speculation: { enabled: false },
    context: { contextTokens, replyTokens: 200, facts: () => `minute ${(minute += 1)}` },
  })
  const conversation = service.conversation()
  const beside = new Subject<SpeechEvent>()
  conversation.listenTo(beside)
  const told: { prompts: ChatMessage[][]; ahead: ChatMessage[][] }[] = []
  for (const [at, { overheardAtMs }] of [...turns, { overheardAtMs: null }].entries()) {
    const before = { requests: backend.requests.length, ahead: ahead.length }
    const outcome = conversation.ask(`question ${at}`)
    if (overheardAtMs !== null) clock.schedule(() => beside.next(overheard), overheardAtMs)
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    told.push({
      prompts: backend.requests.slice(before.requests).map(({ messages }) => messages),
      ahead: ahead.slice(before.ahead),
    })
  }
  await service.close()
  return told
}

/** Without what was true now: it is not remembered. */
const plain = (messages: ChatMessage[] = []) =>
  messages.map((message) => ({ ...message, content: message.content.replace(/\n\n\[minute \d+\]$/u, '') }))

function expectPrefix(short: ChatMessage[] = [], long: ChatMessage[] = []): void {
  expect(long.slice(0, short.length)).toEqual(short)
}

test('the last prompt of a turn is the beginning of the next turn, and each request the beginning of the one after it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 4 }), async (turns) => {
      const told = await talked(turns, 32_768)
      for (const [at, { prompts }] of told.entries()) {
        for (const [n, prompt] of prompts.entries()) if (n > 0) expectPrefix(prompts[n - 1], prompt)
        if (at > 0) expectPrefix(plain(told[at - 1]?.prompts.at(-1)), plain(prompts[0]))
      }
    }),
    { numRuns: 60 },
  )
})

test('what is read ahead is the beginning of the next turn', async () => {
  let reads = 0
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { minLength: 5, maxLength: 8 }), async (turns) => {
      const told = await talked(turns, 1_536)
      for (const [at, { ahead }] of told.entries()) {
        const next = plain(told[at + 1]?.prompts[0])
        for (const read of ahead) {
          // The newest turn is kept while it is answered, and may have to go for the next one.
          const oldest = read.find(({ role, content }) => role === 'user' && content.startsWith('question'))
          if (!next.some(({ content }) => content === oldest?.content)) continue
          expectPrefix(read, next)
          reads++
        }
      }
    }),
    { numRuns: 40 },
  )
  expect(reads).toBeGreaterThan(5)
})
