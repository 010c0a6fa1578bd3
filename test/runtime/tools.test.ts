import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTool } from '../../src/generation/tools.ts'
import { foldHistory } from '../../src/history/fold-history.ts'
import { asks, callWeather, place, rains, said, slow, weather } from './functions.ts'
import { talk } from './harness.ts'

describe('a function that the model calls', () => {
  test('its result reaches the model, which answers with it', async () => {
    const { clock, backend, conversation, names, of, events } = talk({
      backend: { replies: [asks, rains] },
      options: { tools: { weather } },
    })
    const outcome = conversation.ask('the weather in Oslo?')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished', text: 'It rains.', heard: 'It rains.' })
    expect(backend.requests.map(({ tools }) => tools)).toEqual([['weather'], ['weather']])
    expect(backend.requests.map(said)[1]).toEqual([
      ['user', 'the weather in Oslo?'],
      ['assistant', '', 1],
      ['tool', 'rain in Oslo'],
    ])
    expect(names()).toEqual([
      'CALLER_TURN_ENDED',
      'RESPONSE_GENERATING',
      'RESPONSE_DELAYED',
      'TOOL_CALLED',
      'RESPONSE_STARTED',
      'RESPONSE_SEGMENT',
      'RESPONSE_GENERATED',
      'RESPONSE_FINISHED',
    ])
    expect(of('RESPONSE_DELAYED')).toMatchObject([{ reason: 'tool' }])
    expect(conversation.history).toEqual([
      { role: 'user', text: 'the weather in Oslo?', turnId: 'turn-1' },
      {
        role: 'tool',
        text: 'rain in Oslo',
        turnId: 'turn-1',
        call: { id: 'call-0', name: 'weather', arguments: { city: 'Oslo' } },
        outcome: 'done',
        round: 1,
        index: 0,
      },
      { role: 'assistant', text: 'It rains.', turnId: 'turn-1' },
    ])
    expect(events.reduce(foldHistory, [])).toEqual(conversation.history)
    expect(JSON.parse(JSON.stringify(conversation.history))).toEqual(conversation.history)
    expect(clock.pending).toBe(0)
  })

  test('it is told whose turn it is for', async () => {
    const { tool, seen, finish } = slow()
    const { clock, conversation } = talk({ backend: { replies: [asks, rains] }, options: { tools: { weather: tool } } })
    const outcome = conversation.ask('hello')
    await clock.advanceTo(1_000)
    expect(seen).toMatchObject([{ conversationId: 'default', turnId: 'turn-1' }])
    finish('dry')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    expect(seen[0]?.signal.aborted).toBe(false)
  })

  test('two of one round run at once, and their results keep the order of the calls', async () => {
    const { tool, seen, finish } = slow()
    const { clock, backend, conversation, of } = talk({
      backend: { replies: [{ toolCalls: [callWeather(), { name: 'quick', arguments: { city: 'Rome' } }] }, rains] },
      options: { tools: { weather: tool, quick: weather } },
    })
    const outcome = conversation.ask('hello')
    await clock.advanceTo(1_000)
    expect([seen.length, of('TOOL_CALLED').map(({ name }) => name)]).toEqual([1, ['quick']])
    finish('dry in Oslo')
    await clock.runUntilIdle()
    await outcome
    expect(backend.requests.map(said)[1]?.slice(1)).toEqual([
      ['assistant', '', 2],
      ['tool', 'dry in Oslo'],
      ['tool', 'rain in Rome'],
    ])
    const [one, two] = backend.requests[1]?.messages.slice(-2) ?? []
    expect(one?.toolCallId).not.toBe(two?.toolCallId)
  })

  test('words before the call are spoken and stay; the next round goes on after them', async () => {
    const { clock, backend, conversation, of } = talk({
      backend: { replies: [{ ...asks, text: 'I look at the door' }, { text: 'the door is open.' }] },
      options: { tools: { weather } },
    })
    const outcome = conversation.ask('hello')
    await clock.runUntilIdle()
    // Not a repetition to be left out: the model was not asked to go on where it stopped.
    const whole = 'I look at the door the door is open.'
    expect(await outcome).toMatchObject({ ending: 'finished', text: whole, heard: whole })
    expect(of('RESPONSE_SEGMENT').map(({ index }) => index)).toEqual(of('RESPONSE_SEGMENT').map((_, at) => at))
    expect(of('RESPONSE_GENERATED')).toMatchObject([{ text: whole }])
    // What was said belongs to the call.
    expect(backend.requests.map(said)[1]).toEqual([
      ['user', 'hello'],
      ['assistant', 'I look at the door', 1],
      ['tool', 'rain in Oslo'],
    ])
  })

  test('a result is written for the model whatever it is, within bounds', async () => {
    const results: Record<string, unknown> = {
      data: { degrees: 3 },
      nothing: undefined,
      long: `${'x'.repeat(9_000)}`,
      looped: Object.assign([], { 0: undefined }),
    }
    const loop: unknown[] = []
    loop.push(loop)
    results['looped'] = loop
    const give = defineTool({
      description: 'Gives.',
      parameters: z.object({ what: z.string() }),
      run: ({ what }) => results[what],
    })
    const { clock, conversation, of } = talk({
      backend: {
        replies: [{ toolCalls: Object.keys(results).map((what) => ({ name: 'give', arguments: { what } })) }, rains],
      },
      options: { tools: { give } },
    })
    const outcome = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    const told = new Map(
      of('TOOL_CALLED').map(({ arguments: given, result, outcome: how }) => [JSON.stringify(given), { result, how }]),
    )
    expect(told.get('{"what":"data"}')).toEqual({ result: '{"degrees":3}', how: 'done' })
    expect(told.get('{"what":"nothing"}')).toEqual({ result: 'Done.', how: 'done' })
    expect(told.get('{"what":"long"}')?.result).toBe(`${'x'.repeat(8_000)}… (cut: 9000 characters in all)`)
    expect(told.get('{"what":"looped"}')).toEqual({ result: expect.stringMatching(/^Done, but /), how: 'done' })
  })

  test('one that throws is told to the model as failed, and the reply goes on', async () => {
    const broken = defineTool({
      description: 'Breaks.',
      parameters: place,
      run: () => {
        throw new Error('no such\ncity')
      },
    })
    const { clock, backend, conversation, of } = talk({
      backend: { replies: [asks, rains] },
      options: { tools: { weather: broken } },
    })
    const outcome = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished', heard: 'It rains.' })
    expect(of('TOOL_CALLED')).toMatchObject([{ result: 'Failed: no such city', outcome: 'failed' }])
    expect(backend.requests.map(said)[1]?.at(-1)).toEqual(['tool', 'Failed: no such city'])
  })

  test('one that takes longer than timeouts.toolMs is aborted and recorded so; the others keep their results', async () => {
    const { tool, seen, finish } = slow()
    const { clock, backend, conversation, of } = talk({
      backend: { replies: [{ toolCalls: [callWeather(), { name: 'quick', arguments: { city: 'Rome' } }] }, rains] },
      options: { tools: { weather: tool, quick: weather }, timeouts: { toolMs: 700 } },
    })
    const outcome = conversation.ask('hello')
    await clock.advanceTo(799)
    expect(seen[0]?.signal.aborted).toBe(false)
    await clock.advanceTo(801)
    expect(seen[0]?.signal.aborted).toBe(true)
    finish('too late')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    expect(of('TOOL_CALLED').map(({ name, outcome: how }) => [name, how])).toEqual([
      ['quick', 'done'],
      ['weather', 'aborted'],
    ])
    expect(backend.requests.map(said)[1]?.slice(2)).toEqual([
      ['tool', expect.stringMatching(/^Stopped: /)],
      ['tool', 'rain in Rome'],
    ])
    expect(clock.pending).toBe(0)
  })
})

describe('a call that cannot be made', () => {
  test.each<[string, { name: string; arguments: unknown }, RegExp]>([
    ['arguments that do not fit', callWeather(7), /city/],
    ['a name that nobody has', { name: 'constructor', arguments: {} }, /no such function.*weather/],
    ['a list for arguments', { name: 'weather', arguments: ['Oslo'] }, /valid JSON/],
  ])('%s: the model is told once, and its second try is run', async (_, wrong, reason) => {
    const { clock, backend, conversation, of } = talk({
      backend: { replies: [{ toolCalls: [wrong] }, asks, rains] },
      options: { tools: { weather } },
    })
    const outcome = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished', heard: 'It rains.' })
    expect(backend.requests.map(said)[1]?.at(-1)).toEqual(['tool', expect.stringMatching(reason)])
    // Both calls had the same id at the server; here they are two.
    const ids = backend.requests[2]?.messages.flatMap(({ toolCalls = [] }) => toolCalls.map(({ id }) => id))
    expect(ids).toEqual(['call-0', 'call-0-2'])
    // What was never run was never called.
    expect(of('TOOL_CALLED')).toHaveLength(1)
    expect(conversation.history.filter(({ role }) => role === 'tool')).toHaveLength(1)
  })

  test('a second round with one fails the reply; a good call beside it is not run', async () => {
    const { clock, backend, conversation, of } = talk({
      backend: { replies: [{ toolCalls: [callWeather(7), callWeather()] }] },
      options: { tools: { weather }, fallback: { models: ['m1', 'm2'] } },
    })
    const outcome = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'failed', error: { code: 'tool' } })
    expect([backend.requests.length, of('TOOL_CALLED').length]).toEqual([2, 1])
  })
})

describe('the limits of a reply with functions', () => {
  test('after three rounds no functions are offered; a model that calls all the same fails', async () => {
    const { clock, backend, conversation, of } = talk({ backend: { replies: [asks] }, options: { tools: { weather } } })
    const outcome = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'failed', error: { code: 'tool' } })
    expect(backend.requests.map(({ tools }) => tools.length)).toEqual([1, 1, 1, 0])
    expect(of('TOOL_CALLED')).toHaveLength(3)
    const next = conversation.ask('again')
    await clock.advanceTo(clock.now() + 1)
    expect(backend.requests.at(-1)?.tools).toEqual(['weather'])
    await clock.runUntilIdle()
    await next
  })

  test('a fallback in the second round gets the results and calls nothing again', async () => {
    let runs = 0
    const counted = defineTool({ description: 'Counts.', parameters: place, run: () => `run ${(runs += 1)}` })
    const { clock, backend, conversation } = talk({
      backend: { models: ['m1', 'm2'], replies: [asks, { fault: { kind: 'no-end', afterTokens: 0 } }, rains] },
      options: { tools: { weather: counted }, defaultModel: 'm1', fallback: { models: ['m2'] } },
    })
    const outcome = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished', model: 'm2' })
    expect([runs, backend.requests.map(({ model }) => model)]).toEqual([1, ['m1', 'm1', 'm2']])
    expect(said(backend.requests[2] ?? { messages: [] })).toEqual(said(backend.requests[1] ?? { messages: [] }))
  })

  test('what was heard before a call is not continued by another model', async () => {
    const { clock, backend, conversation } = talk({
      backend: {
        models: ['m1', 'm2'],
        replies: [{ ...asks, text: 'Let me look.' }, { fault: { kind: 'no-end', afterTokens: 0 } }, rains],
      },
      options: { tools: { weather }, defaultModel: 'm1', fallback: { models: ['m2'], afterCommit: 'continue' } },
    })
    const outcome = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'failed', heard: 'Let me look.' })
    expect(backend.requests).toHaveLength(2)
    expect(conversation.history.map(({ role }) => role)).toEqual(['user', 'tool', 'assistant'])
  })

  test('a reply that called is asked for again, not remembered; one that did not is', async () => {
    const { clock, backend, conversation } = talk({
      backend: { replies: [asks, rains, rains] },
      options: {
        tools: { weather },
        generation: { temperature: 0 },
        cache: { enabled: true, scope: 'utterance' },
      },
    })
    for (const requests of [2, 3, 3]) {
      const outcome = conversation.ask('hello')
      await clock.runUntilIdle()
      expect(await outcome).toMatchObject({ ending: 'finished', heard: 'It rains.' })
      expect(backend.requests).toHaveLength(requests)
    }
  })

  test('its slot is free while functions run', async () => {
    const { tool, finish } = slow()
    const { clock, service, backend } = talk({
      backend: { replies: [asks, rains] },
      options: { tools: { weather: tool }, concurrency: { slots: 1 } },
    })
    const one = service.conversation('one').ask('hello')
    await clock.advanceTo(500)
    const two = service.conversation('two').ask('hello')
    await clock.advanceTo(3_000)
    expect(await two).toMatchObject({ ending: 'finished' })
    finish('dry')
    await clock.runUntilIdle()
    expect(await one).toMatchObject({ ending: 'finished' })
    expect(backend.requests).toHaveLength(3)
  })
})
