import { describe, expect, test } from 'vitest'
import type { Turn } from '../../machines/vocabulary.ts'
import { foldHistory } from '../../src/history/fold-history.ts'
import { scriptedStore } from '../../src/testing/scripted-store.ts'
import { turnMessages } from '../../src/conversations/turn/messages.ts'
import { asks, callWeather, rains, said, slow, weather } from './functions.ts'
import { talk } from './harness.ts'

describe('what is overheard while functions run', () => {
  const quick = (result: string) => ({ ...weather, run: () => result })
  const call = (city: string) => ({ toolCalls: [{ name: 'quick', arguments: { city } }, callWeather()] })

  test('is told to the model after the reply: calls keep their results, and the words their place', async () => {
    const { tool, finish } = slow()
    const { clock, backend, caller, conversation } = talk({
      backend: { replies: [call('Rome'), rains] },
      options: { tools: { weather: tool, quick: quick('dry') }, ambient: { policy: 'context' } },
    })
    const outcome = conversation.ask('hello')
    await clock.advanceTo(1_000)
    caller.next({ type: 'AMBIENT_SPEECH_DETECTED', text: 'television says this' })
    finish('rain')
    await clock.runUntilIdle()
    await outcome
    const next = conversation.ask('and now?')
    await clock.runUntilIdle()
    await next
    const called = [
      ['user', 'hello'],
      ['assistant', '', 2],
      ['tool', 'dry'],
      ['tool', 'rain'],
    ]
    const [, second, third] = backend.requests.map(said)
    expect(second).toEqual(called)
    expect(third).toEqual([
      ...called,
      ['assistant', 'It rains.'],
      ['user', '[overheard] television says this'],
      ['user', 'and now?'],
    ])
  })

  test.each([
    [1_200, 1_500],
    [1_600, 1_800],
    [800, 2_000],
    [2_000, 1_600],
  ])(
    'and the window is full: no result without its call, no answer without its question (%i, %i)',
    async (words, results) => {
      const { tool, finish } = slow()
      const { clock, backend, caller, conversation } = talk({
        sink: null,
        backend: { replies: [{ text: 'y'.repeat(400) }, call('Rome'), rains] },
        options: {
          tools: { weather: tool, quick: quick('q'.repeat(results)) },
          ambient: { policy: 'context' },
          context: { contextTokens: 1_900, replyTokens: 200 },
        },
      })
      const question = `two ${'w'.repeat(words)}`
      const hear = async (text: string) => {
        void conversation.ask(text)
        await clock.advanceTo(clock.now() + 1_000)
      }
      await hear('one')
      await clock.advanceTo(60_000)
      await hear(question)
      for (const text of ['television says this', 'television says that'])
        caller.next({ type: 'AMBIENT_SPEECH_DETECTED', text })
      finish('r'.repeat(results))
      await clock.runUntilIdle()
      await hear('three')
      await clock.runUntilIdle()
      expect(backend.requests).toHaveLength(4)
      expect(backend.requests[2]?.messages.map(({ content }) => content)).toContain(question)
      for (const { messages } of backend.requests) {
        messages.forEach(({ role, toolCallId }, at) => {
          if (role !== 'tool') return
          const calls = messages.slice(0, at).findLast(({ toolCalls }) => toolCalls)?.toolCalls ?? []
          expect(calls.map(({ id }) => id)).toContain(toolCallId)
        })
      }
    },
  )
})

test('a turn of two rounds is told as two rounds, with the words before each, in the order of the calls', async () => {
  const { tool, finish } = slow()
  const { clock, backend, conversation, of, events } = talk({
    backend: {
      replies: [
        { text: 'Let me look.', toolCalls: [callWeather(), { name: 'quick', arguments: { city: 'Rome' } }] },
        { text: 'One more.', toolCalls: [{ name: 'quick', arguments: { city: 'Bonn' } }] },
        rains,
      ],
    },
    options: { tools: { weather: tool, quick: weather } },
  })
  const outcome = conversation.ask('hello')
  await clock.advanceTo(1_000)
  finish('dry')
  await clock.runUntilIdle()
  expect(await outcome).toMatchObject({ heard: 'Let me look. One more. It rains.' })
  const next = conversation.ask('and now?')
  await clock.runUntilIdle()
  await next
  expect(of('TOOL_CALLED').map(({ name, round, index, saidChars }) => [name, round, index, saidChars])).toEqual([
    ['quick', 1, 1, 12],
    ['weather', 1, 0, 12],
    ['quick', 2, 0, 22],
  ])
  expect(events.reduce(foldHistory, [])).toEqual(conversation.history)
  expect(said(backend.requests[3] ?? { messages: [] })).toEqual([
    ['user', 'hello'],
    ['assistant', 'Let me look.', 2],
    ['tool', 'dry'],
    ['tool', 'rain in Rome'],
    ['assistant', 'One more.', 1],
    ['tool', 'rain in Bonn'],
    ['assistant', 'It rains.'],
    ['user', 'and now?'],
  ])
})

test('a conversation that goes on in the next run is told as it was told in the run before', async () => {
  const store = scriptedStore()
  const calls = [callWeather('Oslo'), callWeather('Rome')]
  const options = { store, tools: { weather } }
  const first = talk({ backend: { replies: [{ text: 'Let me look.', toolCalls: calls }, asks, rains] }, options })
  const outcome = first.conversation.ask('hello')
  await first.clock.runUntilIdle()
  await outcome
  await first.service.close()
  const second = talk({ options })
  const next = second.conversation.ask('and now?')
  await second.clock.runUntilIdle()
  await next
  const told = first.backend.requests.at(-1)?.messages ?? []
  expect(told.filter(({ toolCalls }) => toolCalls)).toHaveLength(2)
  expect(second.backend.requests[0]?.messages.slice(0, told.length)).toEqual(told)
  await second.service.close()
})

describe('history as models are told it', () => {
  const words: Turn = { role: 'user', text: 'hello', turnId: 't1' }
  const tool = (more: Partial<Turn> = {}): Turn => ({
    role: 'tool',
    text: 'rain',
    turnId: 't1',
    call: { id: 'c', name: 'weather', arguments: {} },
    ...more,
  })
  const shown = (...history: Turn[]) => said({ messages: [{ role: 'system', content: '' }, ...turnMessages(history)] })

  test('words that were taken back before anybody heard them divide no others', () => {
    const reply: Turn = { role: 'assistant', text: 'It rains, and it is cold.', turnId: 't1' }
    const whole = [
      ['user', 'hello'],
      ['assistant', '', 1],
      ['tool', 'rain'],
      ['assistant', reply.text],
    ]
    for (const saidChars of [12, 80])
      expect(shown(words, tool({ round: 1, index: 0, saidChars }), reply)).toEqual(whole)
  })

  test('what was cut while the words before the call were spoken is all there is', () => {
    const reply: Turn = { role: 'assistant', text: 'Let me', turnId: 't1', interrupted: true }
    expect(shown(words, tool({ round: 1, index: 0, saidChars: 12 }), reply)).toEqual([
      ['user', 'hello'],
      ['assistant', 'Let me', 1],
      ['tool', 'rain'],
    ])
  })

  test('calls of an older log, which knows no places, and of a program, which knows no turns, stay with their results', () => {
    const older = [tool(), tool({ call: { id: 'd', name: 'weather', arguments: {} } })]
    const called = [
      ['assistant', '', 2],
      ['tool', 'rain'],
      ['tool', 'rain'],
    ]
    expect(shown(words, ...older)).toEqual([['user', 'hello'], ...called])
    const given = older.map(({ role, text, call }): Turn => ({ role, text, ...(call === undefined ? {} : { call }) }))
    expect(shown({ role: 'user', text: 'hello' }, ...given)).toEqual([['user', 'hello'], ...called])
  })
})
