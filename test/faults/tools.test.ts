import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineTool } from '../../src/generation/tools.ts'
import type { LoopbackReply } from '../../src/testing/loopback-server.ts'
import { findSecret, plantedKey } from './secrets.ts'
import { stage } from './support.ts'

const zones: string[] = []
const clock = defineTool({
  description: 'The time of day.',
  parameters: z.object({ zone: z.string() }),
  run: ({ zone }) => {
    zones.push(zone)
    return `noon in ${zone}`
  },
})
const options = { tools: { clock } }

const right: LoopbackReply = { text: '', toolCalls: [{ name: 'clock', arguments: { zone: 'Oslo' } }] }
/** What a model writes that lost its thread: nobody else said it before. */
const raw = `{"zone": "Kamtschatka ${plantedKey}`
const broken: LoopbackReply = { text: '', toolCalls: [{ name: 'clock', arguments: raw }] }
const parsingError = `error parsing tool call: raw='${raw}', err=unexpected end of JSON input`
const refused: LoopbackReply = { fault: { kind: 'http', status: 500, body: { error: parsingError } } }
const cut: LoopbackReply = { text: '', fault: { kind: 'error-record', message: parsingError } }

/** How llama.cpp says it, and then shows the reply from there on. */
const unparsed = `Failed to parse input at pos 12: <tool_call>${raw}`
const llamaError = { error: { code: 500, message: unparsed, type: 'server_error' } }
const llamaRefused: LoopbackReply = { fault: { kind: 'http', status: 500, body: llamaError } }
const llamaCut: LoopbackReply = { text: '', fault: { kind: 'error-record', message: unparsed } }

const cases = [
  ['ollama', 'broken JSON', broken],
  ['openai', 'broken JSON', broken],
  ['ollama', 'an error instead of the call', refused],
  ['ollama', 'an error in the stream', cut],
  ['openai', 'an error instead of the call', refused],
  ['openai', 'the error of llama.cpp instead of the call', llamaRefused],
  ['openai', 'the error of llama.cpp in the stream', llamaCut],
] as const

describe('a model that calls functions wrongly', () => {
  it.each(cases)('row 44: at %s, %s is told to the model, whose second call is right', async (serves, _, wrong) => {
    zones.length = 0
    const { ask, asked, one, of, settles } = await stage({
      first: { serves },
      replies: [wrong, right, { text: 'It is noon there.' }],
      options,
    })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon there.', model: 'm1' })
    expect(asked()).toEqual(['m1', 'm1', 'm1'])
    const told = JSON.stringify(one.requests[1]?.body['messages'])
    expect(told).toMatch(/valid JSON/)
    expect(told).not.toContain('Kamtschatka')
    expect(zones).toEqual(['Oslo'])
    expect(of('TOOL_CALLED')).toMatchObject([{ name: 'clock', result: 'noon in Oslo', outcome: 'done' }])
    await settles()
  })

  it.each(cases)('row 44: at %s, %s twice is a tool error, and nobody else is asked', async (serves, _, wrong) => {
    const { ask, asked, history, logged, of, settles } = await stage({
      first: { serves },
      replies: [wrong],
      options,
    })
    expect(await ask()).toMatchObject({ ending: 'failed', heard: '', error: { code: 'tool' } })
    expect(asked()).toEqual(['m1', 'm1'])
    expect(history()).toEqual([['user', 'what time is it']])
    expect(of('TOOL_CALLED')).toEqual([])
    expect(findSecret([logged, of('ERROR_OCCURRED')])).toBe('nowhere')
    expect(JSON.stringify([logged, of('ERROR_OCCURRED')])).not.toContain('Kamtschatka')
    await settles()
  })

  it.each([
    ['a call', refused, ['m1', 'm2']],
    // Without functions it says so of words: a fault of the server, which has its retry.
    ['a reply', llamaRefused, ['m1', 'm1', 'm2']],
  ])(
    'row 44: where no functions are offered, a server that could not read %s is left for the next model',
    async (_, wrong, models) => {
      const replies = [...models.slice(1).map(() => wrong), { text: 'Two speaks.' }]
      const { ask, asked, logged, settles } = await stage({ replies })
      expect(await ask()).toMatchObject({ ending: 'finished', heard: 'Two speaks.', model: 'm2' })
      expect(asked()).toEqual(models)
      expect(JSON.stringify(logged)).not.toContain('Kamtschatka')
      await settles()
    },
  )

  it.each(['ollama', 'openai'] as const)(
    'row 44: at %s, what a server says in words nobody knows is not quoted where functions are offered',
    async (serves) => {
      const message = `unexpected token: ${raw}`
      const faults: LoopbackReply[] = [
        { fault: { kind: 'http', status: 500, body: { error: message } } },
        { text: '', fault: { kind: 'error-record', message } },
      ]
      for (const fault of faults) {
        const { ask, logged, of, settles } = await stage({ first: { serves }, alone: true, replies: [fault], options })
        expect(await ask()).toMatchObject({ ending: 'failed', error: { code: 'http' } })
        expect(JSON.stringify([logged, of('ERROR_OCCURRED')])).not.toContain('Kamtschatka')
        await settles()
      }
    },
  )
})

describe('functions over real sockets', () => {
  it.each(['ollama', 'openai'] as const)(
    'at %s a result reaches the model, and stays for the next turn',
    async (serves) => {
      const { ask, one, history, conversation, leaves, rests } = await stage({
        first: { serves },
        replies: [{ ...right, text: 'Let me look.' }, { text: 'It is noon there.' }, { text: 'Yes.' }],
        options,
      })
      const heard = 'Let me look. It is noon there.'
      expect(await ask()).toMatchObject({ ending: 'finished', heard, text: heard })
      expect(history()).toEqual([
        ['user', 'what time is it'],
        ['tool', 'noon in Oslo'],
        ['assistant', heard],
      ])
      expect(conversation.history[1]?.call).toMatchObject({ name: 'clock', arguments: { zone: 'Oslo' } })
      await rests()
      await ask('sure?')
      const [first, second, third] = one.requests.map(({ body }) => JSON.parse(JSON.stringify(body)))
      expect(first.tools).toEqual([
        {
          type: 'function',
          function: {
            name: 'clock',
            description: 'The time of day.',
            parameters: { type: 'object', properties: { zone: { type: 'string' } }, required: ['zone'] },
          },
        },
      ])
      expect(second.tools).toEqual(first.tools)
      const given = serves === 'openai' ? '{"zone":"Oslo"}' : { zone: 'Oslo' }
      const called = { function: { name: 'clock', arguments: given } }
      expect(second.messages.slice(-2)).toMatchObject([
        { role: 'assistant', content: 'Let me look.', tool_calls: [called] },
        { role: 'tool', content: 'noon in Oslo' },
      ])
      expect(third.messages.slice(-4)).toMatchObject([
        { role: 'assistant', content: 'Let me look.', tool_calls: [called] },
        { role: 'tool', content: 'noon in Oslo' },
        { role: 'assistant', content: 'It is noon there.' },
        { role: 'user', content: 'sure?' },
      ])
      // What the server has read of the turn it need not read again.
      expect(third.messages.slice(0, second.messages.length)).toEqual(second.messages)
      const [, result] = second.messages.slice(-2)
      if (serves === 'openai') expect(result.tool_call_id).toBe(second.messages.at(-2).tool_calls[0].id)
      else expect(result.tool_name).toBe('clock')
      await leaves()
    },
  )

  it('a server that repeats in its error what a function was given is not quoted', async () => {
    const given = { zone: 'Kamtschatka' }
    const echo = `cannot use ${JSON.stringify(given)} here`
    const { ask, logged, settles } = await stage({
      alone: true,
      replies: [
        { text: '', toolCalls: [{ name: 'clock', arguments: given }] },
        { fault: { kind: 'http', status: 400, body: { error: echo } } },
      ],
      options,
    })
    const { error } = await ask()
    expect(error?.code).toBe('http')
    expect(JSON.stringify([error, logged])).not.toContain('Kamtschatka')
    await settles()
  })

  it('sendRequest tells the calls and makes none', async () => {
    zones.length = 0
    const { service, leaves } = await stage({ replies: [right], options })
    const { text, toolCalls, finishReason } = await service.sendRequest({
      model: 'm1',
      messages: [{ role: 'user', content: 'the time in Oslo' }],
    })
    expect([text, finishReason, zones]).toEqual(['', 'tool-calls', []])
    expect(toolCalls).toMatchObject([{ name: 'clock', arguments: { zone: 'Oslo' } }])
    await leaves()
  })
})
