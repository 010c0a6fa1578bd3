import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTool, type ToolContext } from '../../src/generation/tools.ts'
import type { LlmServiceOptions } from '../../src/runtime/options.ts'
import { createLlmService } from '../../src/runtime/service.ts'
import type { ScriptedAnswer } from '../../src/testing/index.ts'
import { asks, callWeather, place, rains } from './functions.ts'
import { talk } from './harness.ts'

/** What one turn comes to whose model calls `weather`, and the functions are these. */
async function turn(
  run: (args: { city: string }, context: ToolContext) => unknown,
  { reply = asks, options = {} }: { reply?: ScriptedAnswer; options?: LlmServiceOptions } = {},
) {
  const weather = defineTool({ description: 'The weather.', parameters: place, run })
  const talked = talk({ backend: { replies: [reply, rains] }, options: { tools: { weather }, ...options } })
  const outcome = talked.conversation.ask('hello')
  await talked.clock.runUntilIdle()
  const { ending, heard } = await outcome
  return { ...talked, ending, heard, told: talked.of('TOOL_CALLED') }
}

describe('a function that throws', () => {
  const getter = Object.defineProperty({}, 'message', {
    get: () => {
      throw new Error('not even that')
    },
  })
  const { proxy: gone, revoke } = Proxy.revocable({}, {})
  revoke()
  test.each<[string, unknown, string]>([
    ['an error', new Error('no such\ncity'), 'no such city'],
    ['a text', 'closed', 'closed'],
    ['nothing', undefined, 'no reason given'],
    ['an object without a prototype', Object.create(null), 'no reason given'],
    [
      'an error whose message is no text',
      Object.assign(new Error('no'), { message: { of: 'another kind' } }),
      'no reason given',
    ],
    ['something whose message throws', getter, 'no reason given'],
    ['something that is gone', gone, 'no reason given'],
    ['a symbol', Symbol('why'), 'no reason given'],
  ])('%s: the model is told, and the reply goes on', async (_, thrown, reason) => {
    const { ending, heard, told } = await turn(() => {
      throw thrown
    })
    expect([ending, heard]).toEqual(['finished', 'It rains.'])
    expect(told).toMatchObject([{ result: `Failed: ${reason}`, outcome: 'failed' }])
  })
})

test('neither a reason nor a result is cut in the middle of a character', async () => {
  const long = `x${'😀'.repeat(5_000)}`
  const { told } = await turn(
    ({ city }) => {
      if (city === 'Oslo') throw new Error(long)
      return long
    },
    { reply: { toolCalls: [callWeather('Oslo'), callWeather('Rome')] } },
  )
  expect(told.map(({ result }) => [result.length > 300, /\p{Surrogate}/u.test(result)])).toEqual([
    [true, false],
    [true, false],
  ])
})

test.each<[string, unknown, RegExp]>([
  ['a function', () => 'never called', /^Done\.$/],
  ['a symbol', Symbol('done'), /^Done\.$/],
  ['a BigInt', { count: 1n }, /^Done, but its result could not be written/],
  [
    'something that will not be JSON',
    {
      toJSON: () => {
        throw new Error('no')
      },
    },
    /^Done, but its result could not be written/,
  ],
])('a result that is %s has no JSON, and what was done is done', async (_, given, result) => {
  const { told } = await turn(() => given)
  expect(told).toMatchObject([{ result: expect.stringMatching(result), outcome: 'done' }])
})

describe('the signal of a function', () => {
  test('does not abort what gave its result, though another of its round is given up', async () => {
    const done: string[] = []
    const { told } = await turn(
      async ({ city }, { signal }) => {
        signal.addEventListener('abort', () => done.push(`undone in ${city}`))
        if (city === 'Rome') await new Promise(() => {})
        done.push(`booked in ${city}`)
        return 'booked'
      },
      { reply: { toolCalls: [callWeather('Oslo'), callWeather('Rome')] } },
    )
    expect(told.map(({ outcome }) => outcome)).toEqual(['done', 'aborted'])
    expect(done).toEqual(['booked in Oslo', 'undone in Rome'])
  })

  test('is its own: a round of many warns of no leak', async () => {
    const warnings: string[] = []
    const warn = ({ name }: Error) => warnings.push(name)
    process.on('warning', warn)
    const { told } = await turn((_, { signal }) => signal.addEventListener('abort', () => {}), {
      reply: { toolCalls: Array.from({ length: 12 }, () => callWeather()) },
    })
    // Node tells of a warning in the next tick.
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', warn)
    expect([told.length, warnings]).toEqual([12, []])
  })
})

test('what a function does to its arguments changes neither history nor what the model is told', async () => {
  const parameters = z
    .object({ list: z.unknown() })
    // A check may do the same.
    .refine(({ list }) => Array.isArray(list) && list.push('checked') > 0)
  const add = defineTool({
    description: 'Adds.',
    parameters,
    run: ({ list }) => {
      if (Array.isArray(list)) list.push('milk')
      return 'added'
    },
  })
  const given = { list: ['bread'] }
  const { clock, conversation, backend, of } = talk({
    backend: { replies: [{ toolCalls: [{ name: 'add', arguments: given }] }, rains] },
    options: { tools: { add } },
  })
  const outcome = conversation.ask('hello')
  await clock.runUntilIdle()
  expect(await outcome).toMatchObject({ ending: 'finished' })
  expect(of('TOOL_CALLED')).toMatchObject([{ result: 'added', arguments: { list: ['bread'] } }])
  expect(conversation.history[1]?.call?.arguments).toEqual({ list: ['bread'] })
  expect(backend.requests[1]?.messages.at(-2)?.toolCalls?.[0]?.arguments).toEqual({ list: ['bread'] })
})

test('a model that calls hundreds of functions at once is told so, and the reply goes on', async () => {
  const { ending, backend, told } = await turn(({ city }) => `rain in ${city}`, {
    reply: { toolCalls: Array.from({ length: 900 }, () => callWeather()) },
  })
  expect(ending).toBe('finished')
  expect(told).toHaveLength(16)
  expect(backend.requests[1]?.messages.at(-1)?.content).toMatch(/^Not run: no more than 16 .*884/)
})

test('a function that waited for the commit of its turn starts after the turn is told', async () => {
  const order: string[] = []
  const weather = defineTool({ description: 'The weather.', parameters: place, run: () => void order.push('run') })
  const { clock, caller, service } = talk({
    backend: { replies: [asks, rains] },
    options: { tools: { weather }, speculation: { enabled: true } },
  })
  service.events.subscribe(({ type }) => order.push(type))
  caller.next({ type: 'SPEECH_STARTED' })
  caller.next({ type: 'SPEECH_DETECTED', text: 'the weather' })
  await clock.advanceTo(1_000)
  caller.next({ type: 'SPEECH_ENDED' })
  await clock.runUntilIdle()
  expect(order.filter((type) => ['CALLER_TURN_ENDED', 'run', 'TOOL_CALLED'].includes(type))).toEqual([
    'CALLER_TURN_ENDED',
    'run',
    'TOOL_CALLED',
  ])
})

describe('what is no set of functions', () => {
  const usual = { description: 'The weather.', run: () => 'rain' }
  test.each<[string, unknown, string]>([
    ['null', null, 'tools must be an object of functions by name'],
    ['a list', [{ ...usual, parameters: place }], 'tools must be an object of functions by name'],
    ['a map', new Map(), 'tools must be an object of functions by name'],
    ['a name without a function', { weather: undefined }, 'tools.weather is no function'],
    ['parameters of another zod', { weather: { ...usual, parameters: { _def: {} } } }, 'zod 4'],
    ['no parameters', { weather: usual }, 'zod 4'],
  ])('%s is refused with what to do', (_, tools, words) => {
    const options = Object.assign({}, { tools })
    expect(() => Reflect.apply(createLlmService, undefined, [options])).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(words) }),
    )
  })
})
