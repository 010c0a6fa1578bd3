import { describe, expect, test } from 'vitest'
import { asks, delta, oslo, run } from '../support/run-rounds.ts'
import { fault, say, type Step } from '../support/scripted-backend.ts'

const two = { fallback: { models: ['m1', 'm2'] } }

describe('a model that goes on with what another one said', () => {
  const begun: Step[] = [delta('It is a nice day. And then '), 100, fault('protocol', { fault: 'cut' })]
  const goesOn = { config: { fallback: { ...two.fallback, afterCommit: 'continue' as const } }, heardAfterMs: 50 }

  test('is offered no functions', async () => {
    const reply = await run([begun, say('It is warm.')], goesOn)
    expect(reply.requests.map(({ tools = [] }) => tools.length)).toEqual([1, 0])
    expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', model: 'm2' })
  })

  test.each([
    ['beside words', ['It is warm.'], 'It is a nice day. It is warm.'],
    ['and says nothing', [], 'It is a nice day.'],
  ])('and calls all the same, %s: nothing is run and nothing begins again', async (_, words, text) => {
    const reply = await run([begun, asks(...words)], goesOn)
    expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', text })
    expect([reply.seen.length, reply.requests.length]).toEqual([0, 2])
  })
})

describe('the request that has to be answered in words', () => {
  test('words with a call beside them are the answer', async () => {
    const reply = await run([asks(), asks(), asks(), asks('It rains.')])
    expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', text: 'It rains.' })
    expect(reply.seen).toHaveLength(3)
  })

  test('a call alone is not', async () => {
    const reply = await run([asks('I look.')])
    expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED' })
    const silent = await run([asks()])
    expect(silent.last()).toMatchObject({ type: 'REPLY_FAILED', error: { code: 'tool' } })
  })
})

test('a call that the token limit cut is not run, and the model is told', async () => {
  const cut: Step[] = [
    { type: 'tool-calls', calls: [oslo, { ...oslo, id: 'd', arguments: {} }] },
    { finishReason: 'length' },
  ]
  const reply = await run([cut, say('It rains.')])
  expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', text: 'It rains.' })
  expect(reply.seen).toEqual(['Oslo'])
  expect(reply.requests[1]?.messages.slice(-2)).toMatchObject([
    { role: 'tool', content: 'rain' },
    { role: 'tool', content: expect.stringMatching(/^Not run: .*cut/) },
  ])
})

describe('nothing said after results is an empty reply, whatever was said before them', () => {
  const scripts = [asks('Let me look.'), say(' '), say('It rains.')]

  test('unheard: the next model is asked', async () => {
    const reply = await run(scripts, { config: two })
    expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', model: 'm2', text: 'It rains.' })
  })

  test('heard: the reply fails', async () => {
    const slow: Step[] = [delta('Let me look. At once. '), 100, ...asks()]
    const reply = await run([slow, say(' ')], { config: two, heardAfterMs: 50 })
    expect(reply.last()).toMatchObject({ type: 'REPLY_FAILED', error: { code: 'empty-reply' } })
  })

  test('a reply that is full already has ended at its limit', async () => {
    const config = { ...two, limits: { replyChars: 12 } }
    const reply = await run([asks('Let me look.'), say('It rains.')], { config })
    expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', finishReason: 'limit', text: 'Let me look.' })
  })
})

test('a model is loaded once: the requests after its first do not wait for that', async () => {
  const cold = { models: async () => [{ name: 'm1', loaded: false, contextTokens: 4_096 }] }
  const reply = await run([asks(), [{ type: 'connected' }, 'hang']], { like: cold })
  expect(reply.reports.flatMap((report) => (report.type === 'REPLY_DELAYED' ? [report.reason] : []))).toEqual([
    'loading',
    'tool',
  ])
  // After firstTokenMs, and not after loadingMs.
  expect(reply.last()).toMatchObject({ type: 'REPLY_FAILED', error: { code: 'timeout' } })
})
