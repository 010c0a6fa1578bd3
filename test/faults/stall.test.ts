import { createServer } from 'node:https'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { z } from 'zod'
import { defineTool } from '../../src/generation/tools.ts'
import { createLlmService } from '../../src/runtime/service.ts'
import { loopbackServer, type LoopbackReply } from '../../src/testing/loopback-server.ts'
import { listening } from '../../src/testing/loopback/sockets.ts'
import { folder, storeAt } from '../persistence/sqlite-support.ts'
import { stallingClock } from '../support/stalling-clock.ts'
import { cueSink } from './cue-sink.ts'
import { quiet } from './resources.ts'
import { selfSigned } from './self-signed.ts'
import { stage, type StageOptions } from './support.ts'

/** A service whose event loop stalls on cue: timers are due then, and what lies in the sockets is unread. */
async function stalling({ options, ...rest }: StageOptions = {}) {
  const clock = stallingClock()
  const staged = await stage({ ...rest, options: { ...options, clock } })
  return {
    ...staged,
    clock,
    /** The first model answered everything at the first try, and nothing is left. */
    async holds(outcome: Promise<unknown>): Promise<void> {
      expect(await outcome).toMatchObject({ ending: 'finished', model: 'm1' })
      expect(new Set(staged.asked())).toEqual(new Set(['m1']))
      expect(staged.of('RESPONSE_DELAYED').filter(({ reason }) => reason === 'fallback')).toEqual([])
      expect(staged.of('ERROR_OCCURRED')).toEqual([])
      await staged.settles()
      expect(clock.pending).toBe(0)
    },
  }
}

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))
/** Promises move on, the loop does not: what a server writes in them lies in the socket. */
const promises = async () => {
  for (let round = 0; round < 50; round++) await Promise.resolve()
}

const serves = ['ollama', 'openai'] as const
const lengths = [5_000, 20_000]
const words = 'It is noon. Time for lunch. And again a sentence. And one more to go on with.'

describe.each(serves)('the event loop stands still, before %s', (server) => {
  const first = { serves: server }

  it('row 79: a stall in any of the turns that a reply takes fails nothing, and no breaker hears of it', async () => {
    const { ask, asked, clock, holds } = await stalling({ first, replies: [{ text: words }] })
    for (let after = 0; after < 24; after++) {
      const outcome = ask()
      for (let turns = 0; turns < after; turns++) await turn()
      clock.stall(lengths[after % 2] ?? 0)
      expect(await outcome).toMatchObject({ ending: 'finished', model: 'm1' })
    }
    expect(asked()).toHaveLength(24)
    await holds(ask())
  })

  const held: [where: string, reply: LoopbackReply][] = [
    ['the headers', { text: words, hold: 'headers' }],
    ['the first token', { text: words, hold: 0 }],
    ['the second token', { text: words, hold: 1 }],
    ['the last token', { text: words, hold: 16 }],
    ['the first token, in gzip,', { text: words, hold: 0, gzip: true }],
    ['the first token, a few bytes at a time,', { text: words, hold: 0, sliceBytes: 7 }],
  ]
  it.each(held)('row 79: %s is in the socket when its time is over, and is read', async (_, reply) => {
    for (const ms of lengths) {
      const { ask, one, conversation, clock, holds } = await stalling({ first, replies: [reply] })
      let deltas = 0
      conversation.deltas.subscribe(() => (deltas += 1))
      const outcome = ask()
      await one.requested(0)
      if (typeof reply.hold === 'number') await quiet(() => deltas === reply.hold)
      one.release(0)
      await promises()
      clock.stall(ms)
      await holds(outcome)
    }
  })

  it('row 79: a stall between two tokens gives the next one its time anew', async () => {
    const { ask, one, conversation, clock, holds } = await stalling({ first, replies: [{ text: words, hold: 'each' }] })
    let deltas = 0
    conversation.deltas.subscribe(() => (deltas += 1))
    const outcome = ask()
    for (let token = 0; token < 17; token++) {
      one.release(0)
      await quiet(() => deltas === token + 1)
      await clock.pass(1_000)
      clock.stall(5_000)
      await clock.pass(500)
    }
    await holds(outcome)
  })

  it('row 79: a server that is silent is left all the same, after its time and a stall', async () => {
    const { ask, asked, one, clock, settles } = await stalling({
      first,
      replies: [{ fault: { kind: 'silent' } }, { text: 'Two speaks.' }],
    })
    const outcome = ask()
    await one.requested(0)
    clock.stall(5_000)
    await clock.pass(3_500)
    expect(asked()).toEqual(['m1'])
    await clock.pass(500)
    expect(await outcome).toMatchObject({ ending: 'finished', model: 'm2' })
    await settles()
  })

  it('row 79: a stall in any turn of initialize, a look or a diagnosis leaves the server reachable', async () => {
    for (let after = 0; after < 12; after++) {
      const { service, clock, holds, ask } = await stalling({ first })
      const look = [
        () => service.initialize(),
        () => service.checkConnection(),
        async () => ({ reachable: (await service.diagnose()).ok }),
      ][after % 3]
      const looked = look?.()
      for (let turns = 0; turns < after; turns++) await turn()
      clock.stall(20_000)
      expect(await looked).toMatchObject({ reachable: true })
      await holds(ask())
    }
  })

  it('row 79: what an error says is read before the error is judged', async () => {
    const overflow: LoopbackReply = { hold: 'headers', fault: { kind: 'context-overflow' } }
    const { ask, asked, one, conversation, clock, settles } = await stalling({
      first,
      past: Array.from({ length: 20 }, (_, at) => ({ role: at % 2 === 0 ? 'user' : 'assistant', text: words })),
      replies: [overflow, { text: 'It is noon.' }],
    })
    const outcome = ask()
    await one.requested(0)
    one.release(0)
    await promises()
    clock.stall(5_000)
    expect(await outcome).toMatchObject({ ending: 'finished', model: 'm1' })
    expect(asked()).toEqual(['m1', 'm1'])
    expect(conversation.history.length).toBeGreaterThan(2)
    await settles()
  })
})

describe('the event loop stands still', () => {
  it('row 79: while one waits for a slot', async () => {
    const { service, ask, one, clock, holds } = await stalling({ replies: [{ text: 'It is noon.', hold: 0 }] })
    const outcome = ask()
    await one.requested(0)
    const next = service.conversation('next').ask('and you')
    for (let turns = 0; turns < 10; turns++) await turn()
    one.release(0)
    one.release(1)
    await promises()
    clock.stall(5_000)
    expect(await next).toMatchObject({ ending: 'finished', model: 'm1' })
    await holds(outcome)
  })

  it.each(lengths)('row 79: for %i ms while a sink plays, pauses and plays on: it is not given up', async (ms) => {
    const sink = { ...cueSink(), pause() {}, resume() {} }
    const { ask, caller, conversation, clock } = await stalling({
      options: { sink },
      replies: [{ text: 'It is noon.' }],
    })
    const outcome = ask()
    await quiet(() => sink.handed.length === 1)
    sink.says({ type: 'started' })
    clock.stall(ms)
    await turn()
    caller.next({ type: 'SPEECH_STARTED' })
    await clock.pass(1_000)
    expect(conversation.actor.getSnapshot().matches({ responding: 'paused' })).toBe(true)
    clock.stall(ms)
    await turn()
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.pass(3_000)
    expect(conversation.actor.getSnapshot().matches('responding')).toBe(true)
    sink.says({ type: 'progressed', chars: 5 }, { type: 'finished' })
    expect(await outcome).toMatchObject({ ending: 'finished', heard: 'It is noon.' })
    expect(clock.pending).toBe(0)
  })

  it('row 79: while the caller makes a sound that was over in time: the sink is not paused', async () => {
    let pauses = 0
    const sink = { ...cueSink(), pause: () => void (pauses += 1), resume() {} }
    const { ask, caller, clock } = await stalling({ options: { sink }, replies: [{ text: 'It is noon.' }] })
    const outcome = ask()
    await quiet(() => sink.handed.length === 1)
    caller.next({ type: 'SPEECH_STARTED' })
    clock.stall(5_000)
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.pass(10)
    sink.says({ type: 'finished' })
    expect(await outcome).toMatchObject({ ending: 'finished' })
    expect(pauses).toBe(0)
  })

  it('row 79: while the caller draws breath: what was said meanwhile is of the same turn', async () => {
    const { caller, clock, of, one, conversation, settles } = await stalling({ replies: [{ text: 'It is noon.' }] })
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'what time' })
    caller.next({ type: 'SPEECH_ENDED' })
    clock.stall(5_000)
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'is it' })
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.pass(2_000)
    await quiet(() => of('RESPONSE_FINISHED').length === 1)
    expect(of('CALLER_TURN_ENDED').map(({ text }) => text)).toEqual(['what time is it'])
    expect(one.requests).toHaveLength(1)
    expect(conversation.history).toHaveLength(2)
    await settles()
  })

  it('row 79: while a function is run: its result counts', async () => {
    let answer: (text: string) => void = () => {}
    const lookUp = defineTool({
      description: 'The time of day.',
      parameters: z.object({}),
      run: () => new Promise<string>((resolve) => (answer = resolve)),
    })
    const { ask, of, clock, holds } = await stalling({
      replies: [{ toolCalls: [{ name: 'lookUp', arguments: {} }] }, { text: 'It is noon.' }],
      options: { tools: { lookUp } },
    })
    const outcome = ask()
    await quiet(() => of('RESPONSE_DELAYED').some(({ reason }) => reason === 'tool'))
    clock.stall(20_000)
    await turn()
    answer('noon')
    await quiet(() => of('TOOL_CALLED').length === 1)
    expect(of('TOOL_CALLED')).toMatchObject([{ outcome: 'done', result: 'noon' }])
    await holds(outcome)
  })

  it('row 79: while a hook thinks: its answer counts', async () => {
    let judged = 0
    let answer: (verdict: { endOfTurn: number }) => void = () => {}
    const detector = () => {
      judged += 1
      return new Promise<{ endOfTurn: number }>((resolve) => (answer = resolve))
    }
    const { caller, clock, of, conversation } = await stalling({ options: { endpointing: { detector } } })
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'what time is' })
    caller.next({ type: 'SPEECH_ENDED' })
    await quiet(() => judged === 1)
    clock.stall(700)
    answer({ endOfTurn: 0 })
    await clock.pass(500)
    // The longest delay runs, and not the shortest.
    expect(of('CALLER_TURN_ENDED')).toEqual([])
    await clock.pass(6_000)
    await quiet(() => of('RESPONSE_FINISHED').length === 1)
    await conversation.stop()
  })

  it('row 79: while the store commits: the words are durable, and nothing is reported', async () => {
    const store = storeAt(join(await folder(), 'conversations.db'))
    const { ask, of, conversation, clock, holds } = await stalling({
      options: { store },
      replies: [{ text: 'It is noon.' }],
    })
    await conversation.ready
    for (let after = 0; after < 12; after++) {
      const outcome = ask()
      for (let turns = 0; turns < after; turns++) await turn()
      clock.stall(20_000)
      expect(await outcome).toMatchObject({ ending: 'finished' })
    }
    expect(of('RESPONSE_STARTED').map(({ durable }) => durable)).toEqual(Array.from({ length: 12 }, () => true))
    await holds(ask())
  })

  it('row 79: in any turn of a TLS handshake', async () => {
    // Node warns of it, once.
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    onTestFinished(() => {
      vi.restoreAllMocks()
      vi.unstubAllEnvs()
    })
    const reply = [
      { message: { role: 'assistant', content: 'It is noon.' }, done: false },
      { message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop' },
    ]
    const body = reply.map((record) => `${JSON.stringify({ model: 'm1', ...record })}\n`).join('')
    const server = createServer(selfSigned, (request, response) => {
      request.resume().on('end', () => {
        response.setHeader('content-type', request.method === 'POST' ? 'application/x-ndjson' : 'application/json')
        response.end(request.url === '/api/chat' ? body : '{"models":[{"name":"m1"}]}')
      })
    })
    const port = await listening(server)
    onTestFinished(() => void server.close())
    const clock = stallingClock()
    const baseUrl = `https://127.0.0.1:${port}`
    const service = createLlmService({
      baseUrl,
      apiType: 'ollama-chat',
      defaultModel: 'm1',
      fallback: { models: [] },
      clock,
    })
    for (let after = 0; after < 24; after++) {
      const outcome = service.conversation().ask('what time is it')
      for (let turns = 0; turns < after; turns++) await turn()
      clock.stall(5_000)
      expect(await outcome).toMatchObject({ ending: 'finished', heard: 'It is noon.' })
    }
    await service.close()
    expect(clock.pending).toBe(0)
  })

  it('row 79: for real, longer than every time-out', async () => {
    const server = await loopbackServer({ models: ['m1'], replies: [{ text: words }] })
    onTestFinished(server.close)
    const service = createLlmService({
      baseUrl: server.url,
      defaultModel: 'm1',
      fallback: { models: [] },
      timeouts: { connectMs: 400, firstTokenMs: 400, idleMs: 400 },
    })
    onTestFinished(() => service.close())
    for (let after = 0; after < 4; after++) {
      const outcome = service.conversation().ask('what time is it')
      for (let turns = 0; turns < 3 * after; turns++) await turn()
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
      expect(await outcome).toMatchObject({ ending: 'finished', heard: words, model: 'm1' })
    }
    expect(server.requests).toHaveLength(4)
  })
})
