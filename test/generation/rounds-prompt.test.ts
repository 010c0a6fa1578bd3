import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createToolbox, defineTool } from '../../src/generation/index.ts'
import { boundResults } from '../../src/generation/bound-results.ts'
import { fitHistory } from '../../src/generation/context-window.ts'
import type { ChatMessage } from '../../src/backends/contract.ts'
import { asks, run } from '../support/run-rounds.ts'
import { say } from '../support/scripted-backend.ts'

describe('the request that has to be answered in words', () => {
  test('functions stay in front of the prompt where the model can be told not to call', async () => {
    const { requests } = await run([asks(), asks(), asks(), say('It rains.')], { like: { name: 'openai' } })
    expect(requests.map(({ tools = [], toolChoice }) => [tools.length, toolChoice])).toEqual([
      [1, undefined],
      [1, undefined],
      [1, undefined],
      [1, 'none'],
    ])
  })

  test('elsewhere they are left out, and take no room', async () => {
    const { requests } = await run([asks(), asks(), asks(), say('It rains.')], { like: { name: 'ollama-chat' } })
    expect(requests.map(({ tools = [] }) => tools.length)).toEqual([1, 1, 1, 0])
  })
})

test('where no functions are known none are offered, and none are counted', async () => {
  const like = { name: 'ollama-generate' as const }
  const estimates = []
  for (const more of [{}, { toolbox: createToolbox() }]) {
    const { marks, requests } = await run([say('It rains.')], { like, more })
    expect(requests[0]?.tools).toBeUndefined()
    estimates.push(marks.flatMap((mark) => (mark.type === 'prompt' ? [mark.estimatedTokens] : [])))
  }
  expect(estimates[0]).toEqual(estimates[1])
})

test('what is true now is asked for once a reply', async () => {
  let asked = 0
  const facts = () => `It is ${(asked += 1)} o'clock.`
  const { requests } = await run([asks(), asks(), say('It rains.')], { more: { facts } })
  expect(requests.map(({ messages }) => messages[1]?.content)).toEqual(Array(3).fill("hello\n\n[It is 1 o'clock.]"))
})

describe('results that are long for the window', () => {
  const give = (result: unknown) => {
    const tool = defineTool({ description: 'Gives.', parameters: z.object({}), run: () => result })
    return { toolbox: createToolbox({ weather: tool }) }
  }
  const numbers = Array.from({ length: 3_000 }, (_, n) => n)

  test('are cut in the prompt, with a note', async () => {
    const reply = await run([asks(), asks(), asks(), say('Many.')], { more: give(numbers) })
    expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', text: 'Many.' })
    const results = reply.requests.at(-1)?.messages.filter(({ role }) => role === 'tool') ?? []
    expect(results).toHaveLength(3)
    for (const { content } of results) expect(content).toMatch(/^\[0,1,2.*… \(cut: \d+ characters in all\)$/)
  })

  test('that fit no better cut are told as such: the caller said little', async () => {
    const config = { systemPrompt: 'word '.repeat(430), context: { contextTokens: 1_024, replyTokens: 200 } }
    const reply = await run([asks(), say('Many.')], { more: give('word '.repeat(1_000)), config })
    expect(reply.last()).toMatchObject({
      error: { code: 'context-overflow', message: expect.stringMatching(/functions gave/) },
    })
  })
})

describe('the results of one round', () => {
  const result = (content: string): ChatMessage => ({ role: 'tool', content })
  const lengths = (messages: ChatMessage[]) => messages.map(({ content }) => content.length)

  test('share a fifth of the window: short ones stay whole, long ones are equally long', () => {
    const bounded = boundResults([result('short'), result('x'.repeat(4_000)), result('y'.repeat(9_000))], 1_000)
    const [short, one = 0, other = 0] = lengths(bounded)
    expect(short).toBe(5)
    expect(Math.abs(one - other)).toBeLessThan(4)
    expect((one + other) / 4).toBeLessThan(205)
    expect((one + other) / 4).toBeGreaterThan(190)
  })

  test('each round has its own share, and what fits is left alone', () => {
    const round = [{ role: 'assistant' as const, content: '' }, result('x'.repeat(4_000))]
    const once = boundResults(round, 1_000)
    expect(boundResults([...round, ...round], 1_000)).toEqual([...once, ...once])
    expect(boundResults(once, 1_000)).toEqual(once)
  })

  test('are cut between characters', () => {
    const [cut] = boundResults([result('😀'.repeat(1_000))], 1_000)
    expect(cut?.content).toMatch(/^(?:😀)+… \(cut: 2000 characters in all\)$/u)
  })
})

test('what is kept of a history never begins with a result', () => {
  const history: ChatMessage[] = [
    { role: 'user', content: 'one' },
    { role: 'assistant', content: '', toolCalls: [{ id: 'c', name: 'clock', arguments: {} }] },
    { role: 'tool', content: 'noon', toolCallId: 'c' },
    { role: 'user', content: 'two' },
  ]
  const limits = { budget: 1_000, highWater: 0.92, lowWater: 0.6 }
  expect([0, 1, 2, 3].map((from) => fitHistory(history, 0, from, () => 1, limits).from)).toEqual([0, 0, 0, 3])
})
