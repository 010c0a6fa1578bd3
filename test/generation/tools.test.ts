import { describe, expect, test } from 'vitest'
import { createActor } from 'xstate'
import { z } from 'zod'
import { callLogic } from '../../src/generation/call.ts'
import { createToolbox, defineTool } from '../../src/generation/tools.ts'
import { createLlmService } from '../../src/runtime/service.ts'
import { Config } from '../../src/config/config.ts'
import { noConversation } from '../support/no-conversation.ts'
import { settlingClock } from '../support/settling-clock.ts'
import { replies } from '../support/run-reply.ts'
import { say, scriptedBackend } from '../support/scripted-backend.ts'

const weather = defineTool({
  description: 'The weather of today.',
  parameters: z.object({ city: z.string().describe('A city.'), days: z.number().int().default(1) }),
  run: ({ city, days }) => `${city} for ${days}`,
})

describe('functions as models are told of them', () => {
  test('JSON schema of what is written, defaults left to the function, always the same bytes', () => {
    const [definition] = createToolbox({ weather }).definitions
    expect(definition).toEqual({
      name: 'weather',
      description: 'The weather of today.',
      parameters: {
        type: 'object',
        properties: {
          city: { type: 'string', description: 'A city.' },
          days: expect.objectContaining({ type: 'integer', default: 1 }),
        },
        required: ['city'],
      },
    })
    expect(JSON.stringify(createToolbox({ weather }).definitions)).toBe(JSON.stringify([definition]))
  })

  test('what was not written is filled in before the function runs', async () => {
    const call = { id: 'c', name: 'weather', arguments: { city: 'Oslo' } }
    const context = { signal: new AbortController().signal, conversationId: 'c', turnId: 't' }
    expect(await createToolbox({ weather }).run(call, context)).toEqual({ call, result: 'Oslo for 1', outcome: 'done' })
  })

  test('null is how some models write that there are no arguments', () => {
    const parameters = z.object({ city: z.string().optional() })
    const toolbox = createToolbox({ weather: { ...weather, parameters } })
    expect(toolbox.check([{ id: 'c', name: 'weather', arguments: null }], [])).toEqual([
      { id: 'c', name: 'weather', arguments: {} },
    ])
  })

  test('a check that throws refuses the call and breaks nothing', () => {
    const parameters = z.object({ city: z.string() }).refine(() => {
      throw new Error('oops')
    })
    const [call] = createToolbox({ weather: { ...weather, parameters } }).check(
      [{ id: 'c', name: 'weather', arguments: { city: 'Oslo' } }],
      [],
    )
    expect(call?.problem).toMatch(/^Not run: .*could not be checked/)
  })

  test('more calls than anybody means are not run, and the model is told of them in one note', () => {
    const call = { id: 'c', name: 'weather', arguments: { city: 'Oslo' } }
    const toolbox = createToolbox({ weather })
    const checked = toolbox.check(Array(900).fill(call), [])
    const problems = checked.flatMap(({ problem }) => problem ?? [])
    expect([checked.length - problems.length, problems]).toEqual([16, [expect.stringMatching(/no more than 16.*884/)]])
    expect(new Set(checked.map(({ id }) => id)).size).toBe(17)
    expect(toolbox.check(Array(16).fill(call), []).filter(({ problem }) => problem !== undefined)).toEqual([])
  })

  test.each<[string, string, unknown]>([
    ['arguments', 'weather', { city: 'O'.repeat(300_000) }],
    ['arguments that are no JSON', 'weather', `{"city": "${'O'.repeat(300_000)}`],
    ['a name', 'w'.repeat(300_000), { city: 'Oslo' }],
  ])('%s beyond all bounds: not run, and nothing of it goes back to the model', (_, name, given) => {
    const [checked] = createToolbox({ weather }).check([{ id: 'c', name, arguments: given }], [])
    expect(checked?.problem).toMatch(/^Not run: /)
    expect(JSON.stringify(checked).length).toBeLessThan(300)
  })

  test('ids beyond all bounds are cut, and stay different from each other', () => {
    const call = { id: 'c'.repeat(300_000), name: 'weather', arguments: { city: 'Oslo' } }
    const toolbox = createToolbox({ weather })
    const calls = toolbox.check(Array(12).fill(call), [])
    const ids = [...calls, ...toolbox.check([call], [{ text: '', saidChars: 0, calls, answers: [] }])].map(
      ({ id }) => id,
    )
    expect(new Set(ids).size).toBe(13)
    expect(Math.max(...ids.map(({ length }) => length))).toBe(64)
  })

  test('a name and an id are cut between characters', () => {
    const long = `${'w'.repeat(63)}\u{1F600}`
    const call = { id: long, name: long, arguments: {} }
    const checked = createToolbox({ weather }).check([call, call], [])
    expect(checked).toMatchObject([
      { id: 'w'.repeat(63), name: 'w'.repeat(63) },
      { id: `${'w'.repeat(62)}-2`, name: 'w'.repeat(63) },
    ])
  })

  test.each<[string, object, RegExp]>([
    ['a name that servers refuse', { 'the weather': weather }, /tools\.the weather must be named/],
    ['no description', { weather: { ...weather, description: ' ' } }, /tools\.weather needs a description/],
    ['parameters that are no object', { weather: { ...weather, parameters: z.string() } }, /use z\.object/],
    [
      'parameters that JSON cannot hold',
      { weather: { ...weather, parameters: z.object({ at: z.date() }) } },
      /z\.object/,
    ],
    ['nothing to run', { weather: { ...weather, run: 'it' } }, /needs a function run/],
  ])('%s: refused when the service is made', (_, tools, message) => {
    // As a program without types would write it.
    const options: object = { tools }
    expect(() => createLlmService(options)).toThrow(message)
    expect(() => createLlmService(options)).toThrow(expect.objectContaining({ code: 'config' }))
  })
})

test('a function whose reply is left before it began does not begin', async () => {
  let runs = 0
  const toolbox = createToolbox({ weather: { ...weather, run: () => (runs += 1) } })
  const calls = [{ id: 'c', name: 'weather', arguments: { city: 'Oslo' } }]
  const reply = { conversationId: 'c', replyId: 'r', turnId: 't', text: 'hello', purpose: 'answer' as const }
  const character = { settings: Config.parse({}), toolbox, facts: undefined }
  const conversationOf = (id: string) => ({ ...noConversation, id, characterOf: () => character })
  for (const expected of [0, 1]) {
    const actor = createActor(callLogic(conversationOf), { input: { calls, reply } }).start()
    if (expected === 0) actor.stop()
    await Promise.resolve()
    expect(runs).toBe(expected)
    actor.stop()
  }
})

test('functions are part of what a remembered reply is an answer to', async () => {
  const clock = settlingClock()
  const store = new Map<string, unknown>()
  const cacheStore = {
    get: async () => undefined,
    set: async (key: string, words: unknown) => void store.set(key, words),
  }
  const config = { cache: { enabled: true }, generation: { temperature: 0 } }
  for (const tools of [{}, { weather }, { weather: { ...weather, description: 'Another.' } }]) {
    const backend = scriptedBackend(clock, [say('It rains.')])
    const { start, generation } = replies(clock, config, backend, { cacheStore, toolbox: createToolbox(tools) })
    const reply = start()
    await clock.advance(0)
    expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED' })
    reply.stop()
    generation.close()
  }
  expect(store.size).toBe(3)
})

test('functions count for the window of the model', async () => {
  const clock = settlingClock()
  const estimated: number[] = []
  for (const tools of [{}, { weather }]) {
    const { start, generation } = replies(clock, {}, scriptedBackend(clock, [say('It rains.')]), {
      toolbox: createToolbox(tools),
    })
    const reply = start()
    await clock.advance(0)
    for (const mark of reply.marks) if (mark.type === 'prompt') estimated.push(mark.estimatedTokens)
    reply.stop()
    generation.close()
  }
  expect(estimated[1]).toBeGreaterThan((estimated[0] ?? Infinity) + 30)
})

test('a call that is long to write is no silence', async () => {
  const clock = settlingClock()
  const calls = [{ id: 'c', name: 'weather', arguments: { city: 'Oslo' } }]
  const backend = scriptedBackend(clock, [
    [
      { type: 'connected' },
      2_000,
      { type: 'calling' },
      2_900,
      { type: 'calling' },
      2_900,
      { type: 'tool-calls', calls },
      {},
    ],
    say('It rains.'),
  ])
  const { start, generation } = replies(clock, { timeouts: { firstTokenMs: 4_000, idleMs: 3_000 } }, backend, {
    toolbox: createToolbox({ weather }),
  })
  const reply = start()
  await clock.advance(10_000)
  expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', text: 'It rains.' })
  reply.stop()
  generation.close()
  expect(clock.pending).toBe(0)
})
