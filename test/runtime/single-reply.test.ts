import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Delta } from '../../machines/vocabulary.ts'
import { defineTool } from '../../src/generation/tools.ts'
import type { Reply } from '../../src/conversations/generate.ts'
import { talk } from './harness.ts'

const clockTool = defineTool({ description: 'The time.', parameters: z.object({}), run: () => 'noon' })
const calls = { toolCalls: [{ name: 'clock', arguments: {} }] }
const tools = { clock: clockTool }

async function read(reply: Reply): Promise<string[]> {
  const pieces: string[] = []
  for await (const piece of reply) pieces.push(piece)
  return pieces
}

describe('a single reply', () => {
  test('may call functions; its history is its own', async () => {
    const { clock, backend, service, events } = talk({
      backend: { replies: [calls, { text: 'It is noon.' }] },
      options: { tools },
    })
    const text = service.chat('what time is it')
    await clock.runUntilIdle()
    expect(await text).toBe('It is noon.')
    expect(backend.requests[1]?.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool'])
    expect(events.map(({ type }) => type)).toContain('TOOL_CALLED')
  })

  test('goes on from the history of a conversation with its calls and results', async () => {
    const { clock, backend, conversation, service } = talk({
      backend: { replies: [calls, { text: 'It is noon.' }] },
      options: { tools },
    })
    const first = conversation.ask('what time is it')
    await clock.runUntilIdle()
    await first
    const { result } = service.generate('sure?', { history: conversation.history })
    await clock.runUntilIdle()
    expect(await result).toMatchObject({ ok: true })
    expect(backend.requests.at(-1)?.messages.slice(1)).toMatchObject([
      { role: 'user' },
      { role: 'assistant', toolCalls: [{ name: 'clock' }] },
      { role: 'tool', content: 'noon' },
      { role: 'assistant', content: 'It is noon.' },
      { role: 'user', content: 'sure?' },
    ])
  })

  test('that is cancelled aborts what runs, and tells it before the end', async () => {
    const signals: AbortSignal[] = []
    const endless = defineTool({
      description: 'Never ends.',
      parameters: z.object({}),
      run: (_, { signal }) => {
        signals.push(signal)
        return new Promise(() => {})
      },
    })
    const { clock, service, events } = talk({ backend: { replies: [calls] }, options: { tools: { clock: endless } } })
    const reply = service.generate('what time is it')
    await clock.advanceTo(1_000)
    reply.cancel()
    expect(await reply.result).toMatchObject({ ok: false, error: { fault: 'cancelled' } })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect(events.slice(-2)).toMatchObject([
      { type: 'TOOL_CALLED', outcome: 'aborted' },
      { type: 'RESPONSE_INTERRUPTED' },
    ])
    expect(clock.pending).toBe(0)
  })
})

describe('whoever reads a reply piece by piece reads each word once', () => {
  const withFallback = {
    defaultModel: 'm1',
    fallback: { models: ['m2'], afterCommit: 'continue' as const },
  }
  test.each([
    [
      'words before and after a function',
      'Let me look. It is noon.',
      { tools },
      [{ ...calls, text: 'Let me look.' }, { text: 'It is noon.' }],
    ],
    [
      // What was read and belonged to no segment yet cannot be taken back.
      'words of two models',
      'Let me look. And It is noon.',
      withFallback,
      [
        { deltas: ['Let me look. ', 'And ', 'so'], fault: { kind: 'cut' as const, afterTokens: 2 } },
        { deltas: ['It is', ' noon.'] },
      ],
    ],
  ])('%s', async (_, wanted, options, replies) => {
    const { clock, service } = talk({ backend: { models: ['m1', 'm2'], replies }, options })
    const reply = service.generate('what time is it')
    const deltas: Delta[] = []
    reply.deltas.subscribe((delta) => deltas.push(delta))
    const pieces = read(reply)
    await clock.runUntilIdle()
    expect(await reply.result).toMatchObject({ ok: true, text: 'Let me look. It is noon.' })
    expect((await pieces).join('').replaceAll(/\s+/gu, ' ')).toBe(wanted)
    // Whoever keeps attempts apart has the whole text in the last one.
    const last = Math.max(...deltas.map(({ attempt }) => attempt))
    const whole = deltas.filter(({ attempt }) => attempt === last).map(({ text }) => text)
    expect(whole.join('')).toBe('Let me look. It is noon.')
  })
})
