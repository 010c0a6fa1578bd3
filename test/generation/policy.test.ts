import { expect, test } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import { settlingClock } from '../support/settling-clock.ts'
import { replies } from '../support/run-reply.ts'
import { fault, say, scriptedBackend, type Step } from '../support/scripted-backend.ts'

const two = { fallback: { models: ['m1', 'm2'] } }
const delta = (text: string): Step => ({ type: 'delta', kind: 'text', text })

/** One reply from start to end on scripted answers. */
async function run(config: ConfigInput, scripts: Step[][], options: { commitAfterMs?: number; ms?: number } = {}) {
  const clock = settlingClock()
  const backend = scriptedBackend(clock, scripts)
  const { start, generation } = replies(clock, config, backend)
  const reply = start()
  await clock.advance(options.commitAfterMs ?? 0)
  if (options.commitAfterMs !== undefined) reply.commit()
  await clock.advance(options.ms ?? 1_000)
  reply.stop()
  generation.close()
  await clock.advance(0)
  expect(clock.pending).toBe(0)
  expect(backend.open).toBe(0)
  return { ...reply, backend, asked: backend.requests.map(({ model }) => model) }
}

test('silence in mid-stream is left after idleMs, counted from the last delta', async () => {
  const steps: Step[] = [delta('One'), 2_000, delta(' two'), 2_000, delta(' three'), 'hang']
  const early = await run(two, [steps, say('Here.')], { ms: 6_999 })
  expect(early.asked).toEqual(['m1'])
  const late = await run(two, [steps, say('Here.')], { ms: 7_000 })
  expect(late.asked).toEqual(['m1', 'm2'])
})

test('a stream without its end record is a failure, and segments not handed over are void', async () => {
  const reply = await run(two, [[delta('One. Two. ')], say('Here.')])
  expect(reply.types()).toEqual(['REPLY_SEGMENT', 'REPLY_RESTARTED', 'REPLY_DELAYED', 'REPLY_SEGMENT', 'REPLY_ENDED'])
  expect(reply.deltas.map(({ attempt }) => attempt)).toEqual([1, 2])
})

test.each([
  ['nothing', []],
  ['white space', ['  \n']],
  ['emoji', ['👋🎉']],
])('a reply of %s goes to the next model once, then it is an error', async (_, words) => {
  const once = await run(two, [say(...words), say('Here.')])
  expect(once.last()).toMatchObject({ type: 'REPLY_ENDED', model: 'm2' })
  const twice = await run({ fallback: { models: ['m1', 'm2', 'm3'] } }, [say(...words)])
  expect(twice.asked).toEqual(['m1', 'm2'])
  expect(twice.last()).toMatchObject({ type: 'REPLY_FAILED', error: { code: 'empty-reply' } })
})

test('thinking alone is an empty reply; it is told as its own kind and never in a segment', async () => {
  const thinking: Step[] = [{ type: 'delta', kind: 'thinking', text: 'Hm. ' }, delta('<think>Still. </think>'), {}]
  const reply = await run(two, [thinking, say('Here.')])
  expect(reply.segments()).toEqual(['Here.'])
  expect(reply.deltas.filter(({ kind }) => kind === 'thinking').map(({ text }) => text)).toEqual(['Hm. ', 'Still. '])
})

test('endless repetition is cut at the limit, flagged, and its request closed', async () => {
  const endless: Step[] = Array.from({ length: 40 }, (): Step => delta('Again and again. '))
  const reply = await run({ ...two, limits: { replyChars: 100 } }, [[...endless, 'hang']])
  expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', finishReason: 'limit' })
  expect(reply.segments()).toEqual(Array.from({ length: 5 }, () => 'Again and again.'))
  expect(reply.backend.aborted).toEqual([0])
})

test('a reply that ran out of tokens is spoken to its last sentence', async () => {
  const reply = await run(two, [[delta('One is done. Two is n'), { finishReason: 'length' }]])
  expect(reply.segments()).toEqual(['One is done.'])
  expect(reply.last()).toMatchObject({ finishReason: 'length', text: 'One is done.' })
})

test('a content filter is no reason to ask another model', async () => {
  const reply = await run(two, [[delta('I'), { finishReason: 'content-filter' }]])
  expect(reply.asked).toEqual(['m1'])
  expect(reply.last()).toMatchObject({ error: { code: 'content-filter' } })
})

test('after the commit the next model goes on and nothing is said twice', async () => {
  const config: ConfigInput = { fallback: { models: ['m1', 'm2'], afterCommit: 'continue' } }
  const broken: Step[] = [delta('One is here. Two is'), 50, fault('connection', { fault: 'cut' })]
  const reply = await run(config, [broken, say('One is here. ', 'Two is there. Bye.')], { commitAfterMs: 10 })
  expect(reply.segments()).toEqual(['One is here.', 'Two is there.', 'Bye.'])
  expect(reply.reports.flatMap((report) => (report.type === 'REPLY_SEGMENT' ? [report.segment.index] : []))).toEqual([
    0, 1, 2,
  ])
  expect(reply.last()).toMatchObject({ text: 'One is here. Two is there. Bye.', fallback: true })
  expect(reply.backend.requests[1]?.messages.at(-2)).toEqual({ role: 'assistant', content: 'One is here.' })
})

test('a model that is missing is not asked again', async () => {
  const clock = settlingClock()
  const backend = scriptedBackend(clock, [[fault('model-missing', { status: 404 })], say('Here.')])
  const { start, generation } = replies(clock, two, backend)
  for (const replyId of ['r1', 'r2']) {
    const reply = start({ replyId })
    await clock.advance(10)
    expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', model: 'm2' })
    reply.stop()
  }
  expect(backend.requests.map(({ model }) => model)).toEqual(['m1', 'm2', 'm2'])
  generation.close()
})

test('with no model that fits the error says how to get one', async () => {
  const reply = await run({ defaultModel: 'gone', fallback: { models: [] } }, [say('No.')])
  expect(reply.last()).toMatchObject({ error: { code: 'model-missing' } })
  expect(JSON.stringify(reply.last())).toContain('ollama pull gone')
})

test('three failures in a row leave a model alone, for all conversations', async () => {
  const clock = settlingClock()
  const broken: Step[] = [fault('http', { status: 500 })]
  const backend = scriptedBackend(clock, [broken, say('A.'), broken, say('B.'), broken, say('C.'), say('D.')])
  const { start, generation } = replies(clock, { ...two, retry: { attempts: 0 } }, backend)
  for (const conversation of ['a', 'b', 'c', 'd']) {
    const reply = start({ conversation })
    await clock.advance(10)
    reply.stop()
  }
  expect(backend.requests.map(({ model }) => model)).toEqual(['m1', 'm2', 'm1', 'm2', 'm1', 'm2', 'm2'])
  await clock.advance(5_000)
  const probe = start({ conversation: 'e' })
  await clock.advance(10)
  expect(backend.requests.at(-1)?.model).toBe('m1')
  probe.stop()
  generation.close()
})

test('a model that must be loaded gets loadingMs, and the delay is told', async () => {
  const clock = settlingClock()
  const models = [{ name: 'm1', loaded: false, contextTokens: 4_096 }]
  const backend = scriptedBackend(clock, [[{ type: 'connected' }, 59_000, delta('Here.'), {}]], { models })
  const { start, generation } = replies(clock, { defaultModel: 'm1' }, backend)
  const reply = start()
  await clock.advance(60_000)
  expect(reply.types()).toEqual(['REPLY_DELAYED', 'REPLY_SEGMENT', 'REPLY_ENDED'])
  expect(reply.reports[0]).toMatchObject({ reason: 'loading' })
  reply.stop()
  generation.close()
})

test('a speculation needs a spare slot, is seen only when adopted, and waits for nothing', async () => {
  const clock = settlingClock()
  const backend = scriptedBackend(clock, [[{ type: 'connected' }, 'hang'], say('Ahead.')])
  const { start, generation } = replies(clock, { concurrency: { slots: 1 } }, backend)
  const other = start({ conversation: 'other' })
  await clock.advance(10)
  const turnedAway = start({ replyId: 's1', purpose: 'speculation' })
  await clock.advance(10)
  expect(turnedAway.types()).toEqual(['REPLY_FAILED'])
  turnedAway.stop()
  other.stop()
  const ahead = start({ replyId: 's2', purpose: 'speculation' })
  await clock.advance(10)
  expect(ahead.types()).toEqual(['REPLY_SEGMENT', 'REPLY_ENDED'])
  expect(ahead.deltas).toEqual([])
  ahead.adopt()
  expect(ahead.deltas.map(({ text }) => text)).toEqual(['Ahead.'])
  ahead.stop()
  generation.close()
  expect(clock.pending).toBe(0)
})

test('a reply waits for a slot, says so, and gets it when the other is stopped', async () => {
  const clock = settlingClock()
  const backend = scriptedBackend(clock, [[{ type: 'connected' }, 'hang'], say('Now.')])
  const { start, generation } = replies(clock, { concurrency: { slots: 1 } }, backend)
  const first = start({ conversation: 'a' })
  await clock.advance(10)
  const second = start({ conversation: 'b' })
  await clock.advance(100)
  expect(second.reports).toEqual([{ type: 'REPLY_DELAYED', replyId: 'r1', reason: 'queued' }])
  first.stop()
  await clock.advance(0)
  expect(second.last()).toMatchObject({ type: 'REPLY_ENDED', text: 'Now.' })
  second.stop()
  generation.close()
})

test('an origin that refuses is left for another one', async () => {
  const clock = settlingClock()
  const near = scriptedBackend(clock, [[fault('connection', { fault: 'refused' })]], { models: ['m1', 'm2'] })
  const far = scriptedBackend(clock, [say('From afar.')], { origin: 'http://far:1', models: ['m3'] })
  const models = ['m1', 'm2', { model: 'm3', baseUrl: 'http://far:1' }]
  const { start, generation } = replies(clock, { fallback: { models } }, async ({ baseUrl }) => (baseUrl ? far : near))
  const reply = start()
  await clock.advance(300)
  expect(near.requests.map(({ model }) => model)).toEqual(['m1', 'm1'])
  expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', model: 'm3', fallback: true })
  reply.stop()
  generation.close()
})

test('a service whose own backend cannot be reached asks the other one', async () => {
  const clock = settlingClock()
  const far = scriptedBackend(clock, [say('From afar.')], { origin: 'http://far:1', models: ['m3'] })
  const config: ConfigInput = {
    baseUrl: 'http://near:1',
    fallback: { models: ['m1', { model: 'm3', baseUrl: 'http://far:1' }] },
  }
  const { start, generation } = replies(clock, config, async ({ baseUrl }) => {
    if (baseUrl) return far
    throw fault('connection', { fault: 'refused' })
  })
  const reply = start()
  await clock.advance(300)
  expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', model: 'm3' })
  reply.stop()
  generation.close()
})

test('a model that stalls three times is left alone, too', async () => {
  const clock = settlingClock()
  const stall: Step[] = [{ type: 'connected' }, 'hang']
  const backend = scriptedBackend(clock, [stall, say('A.'), stall, say('B.'), stall, say('C.'), say('D.')])
  const { start, generation } = replies(clock, two, backend)
  for (const conversation of ['a', 'b', 'c', 'd']) {
    const reply = start({ conversation })
    await clock.advance(4_500)
    reply.stop()
  }
  expect(backend.requests.map(({ model }) => model)).toEqual(['m1', 'm2', 'm1', 'm2', 'm1', 'm2', 'm2'])
  generation.close()
})

test('an adopted speculation keeps its slot when a reply needs one', async () => {
  const clock = settlingClock()
  const backend = scriptedBackend(clock, [[{ type: 'connected' }, 1_000, delta('Ahead.'), {}], say('Other.')])
  const { start, generation } = replies(clock, { concurrency: { slots: 1 } }, backend)
  const ahead = start({ replyId: 's1', purpose: 'speculation' })
  await clock.advance(10)
  ahead.adopt()
  const other = start({ replyId: 'r2', conversation: 'other' })
  await clock.advance(2_000)
  expect(ahead.last()).toMatchObject({ type: 'REPLY_ENDED', text: 'Ahead.' })
  expect(other.last()).toMatchObject({ type: 'REPLY_ENDED', text: 'Other.' })
  ahead.stop()
  other.stop()
  generation.close()
})

test('34: bytes that keep a connection alive are no first token', async () => {
  const alive: Step[] = [{ type: 'connected' }, ...Array.from({ length: 5 }, () => [1_000, delta('')]).flat(), 'hang']
  const reply = await run(two, [alive, say('Here.')], { ms: 4_000 })
  expect(reply.asked).toEqual(['m1', 'm2'])
})
