import { expect, test } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import type { GenerationNote } from '../../src/generation/index.ts'
import { settlingClock } from '../support/settling-clock.ts'
import { replies, type ReplyExtras } from '../support/run-reply.ts'
import { fault, say, scriptedBackend } from '../support/scripted-backend.ts'

const cached: ConfigInput = { generation: { temperature: 0 }, cache: { enabled: true } }

function kitchen(config: ConfigInput, more: ReplyExtras = {}) {
  const clock = settlingClock()
  const backend = scriptedBackend(clock, [say('First. Answer.'), say('Second.'), say('Third.')])
  const { start, generation, history } = replies(clock, config, backend, more)
  let asked = 0
  return {
    clock,
    backend,
    history,
    close: () => generation.close(),
    async ask(text = 'hello') {
      const reply = start({ text, replyId: `r${(asked += 1)}` })
      await clock.advance(10)
      reply.stop()
      return reply
    },
  }
}

test('off by default, and off for requests whose answer varies', async () => {
  for (const config of [{ generation: { temperature: 0 } }, { cache: { enabled: true } }]) {
    const { ask, backend, close } = kitchen(config)
    await ask()
    await ask()
    expect(backend.requests).toHaveLength(2)
    close()
  }
})

test('the same question again replays with the same events, marked as cached', async () => {
  const { ask, backend, close } = kitchen(cached)
  const first = await ask()
  const again = await ask()
  expect(backend.requests).toHaveLength(1)
  expect(again.types()).toEqual(first.types())
  expect(again.segments()).toEqual(['First.', 'Answer.'])
  expect(again.last()).toMatchObject({ cached: true, model: 'm1', fallback: false })
  close()
})

test('a reply is kept for the moment at which it was asked for, not for the one at which it ended', async () => {
  let time = 'noon'
  const clock = settlingClock()
  const backend = scriptedBackend(clock, [[5, ...say('First.')], say('Second.')])
  const { start, generation } = replies(clock, cached, backend, { facts: () => time })
  const ask = async (replyId: string, meanwhile = () => {}) => {
    const reply = start({ replyId })
    await clock.advance(1)
    meanwhile()
    await clock.advance(10)
    reply.stop()
  }
  await ask('r1', () => (time = 'one'))
  await ask('r2')
  expect(backend.requests).toHaveLength(2)
  time = 'noon'
  await ask('r3')
  expect(backend.requests).toHaveLength(2)
  generation.close()
})

test('another history is another question, unless the scope is the utterance', async () => {
  for (const [scope, requests] of [
    ['conversation', 2],
    ['utterance', 1],
  ] as const) {
    const { ask, backend, history, close } = kitchen({ ...cached, cache: { enabled: true, scope } })
    await ask()
    history.push({ role: 'user', content: 'before' }, { role: 'assistant', content: 'Yes.' })
    await ask()
    expect(backend.requests).toHaveLength(requests)
    close()
  }
})

test('what is kept is bounded in number and in time', async () => {
  const { ask, backend, clock, close } = kitchen({ ...cached, cache: { enabled: true, entries: 1, ttlMs: 1_000 } })
  await ask('a')
  await ask('b')
  await ask('a')
  expect(backend.requests).toHaveLength(3)
  await clock.advance(1_100)
  await ask('a')
  expect(backend.requests).toHaveLength(4)
  close()
})

test('only complete replies are kept', async () => {
  const clock = settlingClock()
  const broken = [{ type: 'delta', kind: 'text', text: 'Half' } as const, fault('protocol', { fault: 'no-end' })]
  const backend = scriptedBackend(clock, [broken, say('Whole.')])
  const { start, generation } = replies(clock, { ...cached, fallback: { models: ['m1'] } }, backend)
  for (const replyId of ['r1', 'r2']) {
    const reply = start({ replyId })
    await clock.advance(10)
    reply.stop()
  }
  expect(backend.requests).toHaveLength(2)
  generation.close()
})

test('56, 57: a cache that cannot be read or written is a miss that is reported', async () => {
  const notes: GenerationNote[] = []
  const broken = async () => Promise.reject(new Error('disk'))
  const { ask, close } = kitchen(cached, {
    cacheStore: { get: broken, set: broken },
    report: (note) => notes.push(note),
  })
  const reply = await ask()
  expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', cached: false })
  expect(notes.map(({ code, message }) => [code, message.match(/read|written/)?.[0]])).toEqual([
    ['store', 'read'],
    ['store', 'written'],
  ])
  close()
})

test('what a fallback said is not kept: the first model may be back', async () => {
  const clock = settlingClock()
  const broken = [fault('protocol', { fault: 'no-end' })]
  const backend = scriptedBackend(clock, [broken, say('Second best.'), say('Best.')])
  const { start, generation } = replies(clock, { ...cached, fallback: { models: ['m1', 'm2'] } }, backend)
  for (const text of ['Second best.', 'Best.']) {
    const reply = start()
    await clock.advance(10)
    expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', text })
    reply.stop()
  }
  generation.close()
})
