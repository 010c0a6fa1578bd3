import { describe, expect, test } from 'vitest'
import { createToolbox } from '../../src/generation/index.ts'
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
