import { describe, expect, test } from 'vitest'
import type { ServiceEvent } from '../../machines/vocabulary.ts'
import { defineTool } from '../../src/generation/tools.ts'
import { asks, callWeather, place, rains, said, slow, weather } from './functions.ts'
import { talk } from './harness.ts'
import { scriptedStore } from '../../src/testing/index.ts'

const secret = 'sk-planted-in-a-function-0123456789'
describe('a program that leaves while a function runs', () => {
  test('the next run knows that it was called', async () => {
    const { tool, seen } = slow()
    const store = scriptedStore()
    const backend = { replies: [{ toolCalls: [callWeather()] }, rains] }
    const { clock, conversation, service, of } = talk({ backend, options: { store, tools: { weather: tool } } })
    void conversation.ask('hello')
    await clock.advanceTo(1_000)
    await service.close()
    expect(seen[0]?.signal.aborted).toBe(true)
    expect(of('TOOL_CALLED')).toMatchObject([{ name: 'weather', outcome: 'aborted' }])
    expect(of('RESPONSE_INTERRUPTED')).toMatchObject([{ reason: 'left', heard: '' }])
    const next = talk({ options: { store } })
    await next.conversation.ready
    expect(next.conversation.history).toMatchObject([{ role: 'user' }, { role: 'tool', outcome: 'aborted' }])
    await next.service.close()
  })
})

describe('a caller who interrupts while a function runs', () => {
  const ways: [string, (given: ReturnType<typeof talk>) => void, string][] = [
    ['words', ({ caller }) => caller.next({ type: 'SPEECH_DETECTED', text: 'never mind' }), 'barge-in'],
    ['a stop', ({ caller }) => caller.next({ type: 'SYSTEM_STOPPED' }), 'stopped'],
    ['the program', ({ conversation }) => conversation.interrupt(), 'requested'],
  ]
  test.each(ways)('%s: it is aborted, and recorded so before the ending', async (_, interrupt, reason) => {
    const { tool, seen, finish } = slow()
    const given = talk({
      backend: { replies: [{ toolCalls: [{ name: 'quick', arguments: { city: 'Rome' } }, callWeather()] }, rains] },
      options: { tools: { weather: tool, quick: weather } },
    })
    const { clock, backend, conversation, names, of } = given
    const outcome = conversation.ask('hello')
    await clock.advanceTo(1_000)
    interrupt(given)
    expect(seen[0]?.signal.aborted).toBe(true)
    expect(await outcome).toMatchObject({ ending: 'interrupted', heard: '' })
    finish('too late')
    await clock.runUntilIdle()
    expect(of('RESPONSE_INTERRUPTED')).toMatchObject([{ reason }])
    expect(of('TOOL_CALLED').map(({ name, outcome: how }) => [name, how])).toEqual([
      ['quick', 'done'],
      ['weather', 'aborted'],
    ])
    expect(names().indexOf('TOOL_CALLED')).toBeLessThan(names().indexOf('RESPONSE_INTERRUPTED'))
    expect(conversation.history.slice(0, 3)).toMatchObject([
      { role: 'user' },
      { role: 'tool', text: 'rain in Rome', outcome: 'done' },
      { role: 'tool', outcome: 'aborted' },
    ])
    expect(clock.pending).toBe(0)
    if (reason !== 'barge-in') return
    expect(backend.requests.map(said)[1]).toEqual([
      ['user', 'hello'],
      ['assistant', '', 2],
      ['tool', 'rain in Rome'],
      ['tool', expect.stringMatching(/^Stopped: /)],
      ['user', 'never mind'],
    ])
  })

  test('after words that were heard, those stay', async () => {
    const { tool } = slow()
    const { clock, caller, conversation } = talk({
      backend: { replies: [{ ...asks, text: 'Let me look.' }, rains] },
      options: { tools: { weather: tool } },
    })
    const outcome = conversation.ask('hello')
    await clock.advanceTo(5_000)
    caller.next({ type: 'SPEECH_DETECTED', text: 'never mind' })
    expect(await outcome).toMatchObject({ ending: 'interrupted', heard: 'Let me look.' })
    await clock.runUntilIdle()
    expect(conversation.history.map(({ role, outcome: how, interrupted }) => how ?? interrupted ?? role)).toEqual([
      'user',
      'aborted',
      true,
      'user',
      'assistant',
    ])
  })

  test('a speculation that wants functions waits for the commit, and one that is dropped ran none', async () => {
    const { tool, seen, finish } = slow()
    const { clock, caller, conversation, of } = talk({
      backend: { replies: [asks, asks, rains] },
      options: { tools: { weather: tool }, speculation: { enabled: true } },
    })
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'the weather in' })
    await clock.advanceTo(400)
    caller.next({ type: 'SPEECH_DETECTED', text: 'Oslo' })
    await clock.advanceTo(1_000)
    expect(seen).toEqual([])
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.advanceTo(1_600)
    expect(seen).toMatchObject([{ turnId: 'turn-1' }])
    finish('rain')
    await clock.runUntilIdle()
    expect(of('RESPONSE_FINISHED')).toMatchObject([{ heard: 'It rains.' }])
    expect(conversation.history.map(({ role }) => role)).toEqual(['user', 'tool', 'assistant'])
  })
})

test('what functions are given and give is in no log line and no error', async () => {
  const logged: unknown[] = []
  const log = (facts: object, message: string) => void logged.push(facts, message)
  const leaky = defineTool({
    description: 'Leaks.',
    parameters: place,
    run: ({ city }) => {
      if (city === 'Rome') throw new Error(secret)
      return secret
    },
  })
  const { clock, conversation, events } = talk({
    backend: {
      replies: [
        { toolCalls: [callWeather(secret), callWeather('Rome')] },
        { toolCalls: [{ name: 'weather', arguments: secret }] },
        { toolCalls: [{ name: secret, arguments: { city: secret } }] },
      ],
    },
    options: { tools: { weather: leaky }, logger: { debug: log, info: log, warn: log, error: log } },
  })
  const outcome = conversation.ask('hello')
  await clock.runUntilIdle()
  expect(await outcome).toMatchObject({ ending: 'failed', error: { code: 'tool' } })
  const errors = events.filter((event: ServiceEvent) => event.type === 'ERROR_OCCURRED')
  expect(errors).toHaveLength(1)
  expect(logged).not.toEqual([])
  expect(JSON.stringify([logged, errors])).not.toContain(secret)
})
