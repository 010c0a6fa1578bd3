import { describe, expect, test } from 'vitest'
import { createToolbox } from '../../src/generation/index.ts'
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
