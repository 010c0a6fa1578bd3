import { describe, expect, it } from 'vitest'
import { talk } from './harness.ts'

describe('the prompt', () => {
  it('volatile facts stand in the newest user message only, and are not remembered', async () => {
    let now = '10:00'
    const { clock, conversation, backend, service } = talk({
      options: { context: { facts: () => `It is ${now}.` } },
      backend: { replies: [{ text: 'Fine.' }] },
    })
    const first = conversation.ask('hello')
    await clock.runUntilIdle()
    await first
    now = '10:05'
    const second = conversation.ask('and now')
    await clock.runUntilIdle()
    await second
    const contents = backend.requests[1]?.messages.map(({ content }) => content) ?? []
    expect(contents.filter((content) => content.includes('10:00'))).toEqual([])
    expect(contents.at(-1)).toContain('and now')
    expect(contents.at(-1)).toContain('It is 10:05.')
    expect(contents[0]).not.toContain('10:05')
    expect(JSON.stringify(conversation.history)).not.toContain('10:0')
    await service.close()
  })

  it('facts that throw cost the facts and not the reply', async () => {
    const { clock, conversation, service } = talk({
      options: {
        context: {
          facts: () => {
            throw new Error('no clock')
          },
        },
      },
      backend: { replies: [{ text: 'Fine.' }] },
    })
    const outcome = conversation.ask('hello')
    await clock.runUntilIdle()
    expect((await outcome).ending).toBe('finished')
    await service.close()
  })

  it('the prompt of a turn begins with the prompt of the turn before, until turns are evicted', async () => {
    const { clock, conversation, backend, service, of } = talk({
      sink: null,
      options: { context: { contextTokens: 600, replyTokens: 100 } },
      backend: {
        replies: [{ text: 'A reply of some length, so that the window fills up after a few turns.', perTokenMs: 1 }],
      },
    })
    for (let turn = 0; turn < 30; turn += 1) {
      const outcome = conversation.ask(`question number ${turn}, with some words to fill the window`)
      await clock.runUntilIdle()
      expect((await outcome).ending).toBe('finished')
    }
    const prompts = backend.requests.map(({ messages }) => messages.map(({ role, content }) => `${role}: ${content}`))
    let evictions = 0
    prompts.slice(1).forEach((prompt, index) => {
      const before = prompts[index] ?? []
      expect(prompt[0]).toBe(before[0])
      const isLonger = before.every((line, at) => prompt[at] === line)
      if (!isLonger) evictions += 1
    })
    expect(evictions).toBeGreaterThan(0)
    expect(evictions).toBeLessThan(10)
    expect(of('RESPONSE_GENERATED').every(({ prompt }) => (prompt?.estimatedTokens ?? 0) <= 500)).toBe(true)
    await service.close()
  })
})
