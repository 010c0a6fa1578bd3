import { expect, test } from 'vitest'
import { settlingClock } from '../support/settling-clock.ts'
import { replies } from '../support/run-reply.ts'
import { fault, say, scriptedBackend } from '../support/scripted-backend.ts'

const two = { fallback: { models: ['m1', 'm2'] } }

test('a reply becomes segments and an end', async () => {
  const clock = settlingClock()
  const backend = scriptedBackend(clock, [say('It is', ' noon. ', 'Really.')])
  const { start, generation } = replies(clock, {}, backend)
  const reply = start()
  await clock.advance(0)
  expect(reply.segments()).toEqual(['It is noon.', 'Really.'])
  expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', text: 'It is noon. Really.', model: 'm1', fallback: false })
  expect(backend.requests[0]?.messages.at(-1)).toEqual({ role: 'user', content: 'hello' })
  reply.stop()
  generation.close()
  expect(clock.pending).toBe(0)
})

test('words that are given to be said ask no model', async () => {
  const clock = settlingClock()
  const backend = scriptedBackend(clock, [say('no')])
  const { start, generation } = replies(clock, {}, backend)
  const reply = start({ purpose: 'say', text: 'The tea is ready. Enjoy.' })
  await clock.advance(0)
  expect(reply.segments()).toEqual(['The tea is ready.', 'Enjoy.'])
  expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', model: 'none', backend: 'none' })
  expect(backend.requests).toHaveLength(0)
  reply.stop()
  generation.close()
})

test('a server error is retried once, then the next model answers unheard', async () => {
  const clock = settlingClock()
  const failed = [fault('http', { status: 500 })]
  const backend = scriptedBackend(clock, [failed, failed, say('Here I am.')])
  const { start, generation } = replies(clock, two, backend)
  const reply = start()
  await clock.advance(199)
  expect(backend.requests).toHaveLength(1)
  await clock.advance(1)
  expect(backend.requests.map(({ model }) => model)).toEqual(['m1', 'm1', 'm2'])
  expect(reply.types()).toEqual(['REPLY_RESTARTED', 'REPLY_RESTARTED', 'REPLY_DELAYED', 'REPLY_SEGMENT', 'REPLY_ENDED'])
  expect(reply.last()).toMatchObject({ model: 'm2', fallback: true })
  reply.stop()
  generation.close()
  expect(clock.pending).toBe(0)
})

test('a model that sends nothing is left after firstTokenMs', async () => {
  const clock = settlingClock()
  const backend = scriptedBackend(clock, [[{ type: 'connected' }, 'hang'], say('Here I am.')])
  const { start, generation } = replies(clock, two, backend)
  const reply = start()
  await clock.advance(3_999)
  expect(backend.requests).toHaveLength(1)
  await clock.advance(1)
  expect(backend.aborted).toEqual([0])
  expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', model: 'm2' })
  reply.stop()
  generation.close()
  expect(clock.pending).toBe(0)
})

test('stopping a reply closes its request and frees its slot at once', async () => {
  const clock = settlingClock()
  const backend = scriptedBackend(clock, [[{ type: 'connected' }, 'hang'], say('Yes.')])
  const { start, generation } = replies(clock, { concurrency: { slots: 1 } }, backend)
  const first = start()
  await clock.advance(100)
  expect(backend.open).toBe(1)
  first.stop()
  const second = start({ replyId: 'r2' })
  await clock.advance(0)
  expect(backend.aborted).toEqual([0])
  expect(second.types()).toEqual(['REPLY_SEGMENT', 'REPLY_ENDED'])
  second.stop()
  generation.close()
  expect(clock.pending).toBe(0)
})

test('a cut after the first segment was handed over fails at once', async () => {
  const clock = settlingClock()
  const cut = fault('connection', { fault: 'cut' })
  const backend = scriptedBackend(clock, [
    [{ type: 'connected' }, { type: 'delta', kind: 'text', text: 'One. Two' }, 50, cut],
    say('Never.'),
  ])
  const { start, generation } = replies(clock, two, backend)
  const reply = start()
  await clock.advance(10)
  reply.commit()
  await clock.advance(100)
  expect(reply.types()).toEqual(['REPLY_SEGMENT', 'REPLY_FAILED'])
  expect(backend.requests).toHaveLength(1)
  reply.stop()
  generation.close()
  expect(clock.pending).toBe(0)
})
