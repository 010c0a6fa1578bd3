import { createActor, fromCallback } from 'xstate'
import { describe, expect, test } from 'vitest'
import type { AttemptInput, LocateInput } from '../../machines/reply/context.ts'
import { replyMachine } from '../../machines/reply/machine.ts'
import type { ReplyCommand, ReplyInput } from '../../machines/vocabulary.ts'
import {
  chart,
  cold,
  committed,
  completed,
  connected,
  cut,
  failed,
  far,
  firstToken,
  granted,
  located,
  m1,
  m2,
  reached,
  replyInput,
  unknown,
} from '../support/reply-events.ts'

const asking = [unknown, located(m1, m2, far), reached, granted]

describe('the way to the words', () => {
  test('words that are remembered need no model', () => {
    const reply = chart()
    expect(reply.send(cut, completed)).toBe('ended')
    expect(reply.types()).toEqual(['REPLY_SEGMENT', 'REPLY_ENDED'])
    expect(reply.started.attempts).toEqual([])
    reply.actor.stop()
  })

  test('an attempt is reached, queued, connected, awaited and streamed', () => {
    const reply = chart()
    expect(reply.send(unknown)).toBe('locating')
    expect(reply.send(located(m1))).toEqual({ attempting: 'reaching' })
    expect(reply.send(reached)).toEqual({ attempting: 'queued' })
    expect(reply.send({ type: 'SLOT_AWAITED' })).toEqual({ attempting: 'queued' })
    expect(reply.send(granted)).toEqual({ attempting: { requested: 'connecting' } })
    expect(reply.send(connected)).toEqual({ attempting: { requested: 'awaitingFirstToken' } })
    expect(reply.send(firstToken)).toEqual({ attempting: 'streaming' })
    expect(reply.send(cut, completed)).toBe('ended')
    expect(reply.types()).toEqual(['REPLY_DELAYED', 'REPLY_SEGMENT', 'REPLY_ENDED'])
    expect(reply.started.running).toBe(0)
    expect(reply.clock.pending).toBe(0)
    reply.actor.stop()
  })

  test('a model that must be loaded first is a delay that is told', () => {
    const reply = chart()
    reply.send(unknown, located(cold), reached, { type: 'SLOT_GRANTED', firstTokenMs: 60_000, loading: true })
    expect(reply.reports).toEqual([{ type: 'REPLY_DELAYED', replyId: 'r1', reason: 'loading' }])
    reply.actor.stop()
  })

  test('a speculation delays nobody until it is adopted', () => {
    const reply = chart({ input: { ...replyInput, purpose: 'speculation' } })
    reply.send(...asking, failed('http', { status: 400 }))
    expect(reply.types()).toEqual(['REPLY_RESTARTED'])
    reply.send({ type: 'REPLY_ADOPTED' }, failed('http', { status: 400 }))
    expect(reply.types()).toEqual(['REPLY_RESTARTED', 'REPLY_RESTARTED', 'REPLY_DELAYED'])
    expect(reply.started.attempts.at(-1)?.reply.purpose).toBe('answer')
    expect(reply.started.commands).toEqual(['REPLY_ADOPTED'])
    reply.actor.stop()
  })

  test('no model to ask is a failure that says so', () => {
    const reply = chart()
    expect(reply.send(unknown, located())).toBe('failed')
    expect(reply.error()).toBe('model-missing')
    reply.actor.stop()
  })

  test.each(['recall', 'locate', 'attempt'])('%s that throws fails the reply and not its parent', (name) => {
    const broken = () => {
      throw new Error('oops')
    }
    const actors = {
      recall: fromCallback<ReplyCommand, ReplyInput>(({ sendBack }) =>
        name === 'recall' ? broken() : sendBack(unknown),
      ),
      locate: fromCallback<ReplyCommand, LocateInput>(({ sendBack }) =>
        name === 'locate' ? broken() : sendBack(located(m1)),
      ),
      attempt: fromCallback<ReplyCommand, AttemptInput>(broken),
    }
    const actor = createActor(replyMachine.provide({ actors }), { input: replyInput })
    const reports: string[] = []
    actor.on('REPLY_FAILED', ({ error }) => reports.push(error.code))
    actor.start()
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', value: { work: 'failed' } })
    expect(reports).toEqual(['internal'])
    actor.stop()
  })
})

describe('time-outs', () => {
  test('a cache that is slow is a miss', async () => {
    const reply = chart()
    await reply.clock.advance(100)
    expect(reply.work()).toBe('locating')
    reply.actor.stop()
  })

  test.each([
    ['a server that is not reached', [unknown], 2_000, 'locating'],
    ['a backend that is not reached', asking.slice(0, 2), 2_000, 'm3'],
    ['a slot that never comes free', asking.slice(0, 3), 4_000, 'm3'],
    ['a connection that goes nowhere', asking, 2_000, 'm3'],
    ['a first token that never comes', [...asking, connected], 4_000, 'm2'],
    ['a reply without an end', [...asking, firstToken], 60_000, 'm2'],
  ])('%s is left after its time', async (_, events, ms, next) => {
    const reply = chart()
    reply.send(...events)
    await reply.clock.advance(ms - 1)
    expect(reply.started.attempts.length).toBeLessThan(2)
    expect(reply.started.looks.length).toBe(1)
    await reply.clock.advance(1)
    if (next === 'locating') expect(reply.started.looks.at(-1)?.leftAlone).toEqual(['home'])
    else expect(reply.asked().at(-1)).toBe(next)
    reply.actor.stop()
    expect(reply.clock.pending).toBe(0)
  })

  test('a model being loaded gets the time that its attempt asks for', async () => {
    const reply = chart()
    reply.send(unknown, located(m1, m2), reached, {
      ...granted,
      type: 'SLOT_GRANTED',
      firstTokenMs: 9_000,
      loading: true,
    })
    reply.send(connected)
    await reply.clock.advance(8_999)
    expect(reply.asked()).toEqual(['m1'])
    await reply.clock.advance(1)
    expect(reply.asked()).toEqual(['m1', 'm2'])
    reply.actor.stop()
  })
})

describe('before anything is heard', () => {
  test.each([
    ['1 refused', failed('connection', { fault: 'refused' }), ['m1', 'm1', 'm3', 'm3']],
    ['2 name not found', failed('config', { fault: 'name-not-found' }), ['m1']],
    ['4 reset before headers', failed('connection', { fault: 'reset-before-headers' }), ['m1', 'm1', 'm3', 'm3']],
    ['6 not HTTP', failed('protocol', { fault: 'not-http' }), ['m1']],
    ['10 redirect', failed('protocol', { fault: 'redirect' }), ['m1']],
    ['12 capability', failed('http', { status: 400, fault: 'capability' }), ['m1', 'm2', 'm3']],
    ['13 key refused', failed('auth', { status: 401 }), ['m1', 'm3']],
    ['14 model missing', failed('model-missing', { status: 404 }), ['m1', 'm2', 'm3']],
    ['17 server error', failed('http', { status: 500 }), ['m1', 'm1', 'm2', 'm2', 'm3', 'm3']],
    ['18 busy', failed('overloaded', { status: 503 }), ['m1', 'm3']],
    ['20 no end record', failed('protocol', { fault: 'no-end' }), ['m1', 'm2', 'm3']],
    ['24 error record', failed('http', { status: 200, fault: 'error-record' }), ['m1', 'm2', 'm3']],
    ['25 HTML', failed('protocol', { fault: 'content-type' }), ['m1']],
    ['26 reset in mid-body', failed('connection', { fault: 'cut' }), ['m1', 'm2', 'm3']],
    ['38 empty reply', failed('empty-reply'), ['m1', 'm2']],
    ['43 content filter', failed('content-filter'), ['m1']],
    ['11 prompt too long', failed('context-overflow', { status: 400 }), ['m1', 'm1']],
    ['15 path missing', failed('http', { status: 404, fault: 'path-missing' }), ['m1', 'm1', 'm3', 'm3']],
    ['the breaker is open', failed('overloaded', { fault: 'breaker-open' }), ['m1', 'm2', 'm3']],
  ])('%s: who is asked next', async (_, fault, asked) => {
    const reply = chart()
    reply.send(...asking)
    for (let round = 0; round < 10 && !reply.actor.getSnapshot().hasTag('over'); round++) {
      const { failure } = fault.type === 'ATTEMPT_FAILED' ? fault : { failure: undefined }
      const origin = reply.started.attempts.at(-1)?.candidate.origin ?? 'a'
      if (failure) reply.send({ type: 'ATTEMPT_FAILED', failure: { ...failure, origin } })
      await reply.clock.advance(300)
    }
    expect(reply.asked()).toEqual(asked)
    expect(reply.work()).toBe('failed')
    expect(reply.types().filter((type) => type === 'REPLY_RESTARTED')).toHaveLength(asked.length - 1)
    expect(reply.clock.pending).toBe(0)
    reply.actor.stop()
  })

  test('a prompt that was too long is made shorter', () => {
    const reply = chart()
    reply.send(...asking, failed('context-overflow', { status: 400 }))
    expect(reply.started.attempts.map(({ shorter }) => shorter)).toEqual([false, true])
    reply.actor.stop()
  })

  test('a server that asks for patience gets it where the caller can wait, once', async () => {
    const reply = chart()
    const later = failed('overloaded', { status: 429, fault: 'rate-limited', retryAfterMs: 1_000 })
    reply.send(...asking, later)
    await reply.clock.advance(999)
    expect(reply.asked()).toEqual(['m1'])
    await reply.clock.advance(1)
    expect(reply.asked()).toEqual(['m1', 'm1'])
    reply.send(later)
    expect(reply.asked()).toEqual(['m1', 'm1', 'm2'])
    reply.send(failed('overloaded', { status: 429, retryAfterMs: 30_000 }))
    expect(reply.asked().at(-1)).toBe('m3')
    reply.actor.stop()
  })

  test('a busy model in memory is not left for one on the same server that is not', async () => {
    const reply = chart()
    reply.send(unknown, located(m1, cold, far), reached, granted, connected)
    await reply.clock.advance(4_000)
    expect(reply.asked()).toEqual(['m1', 'm3'])
    reply.actor.stop()
  })

  test('a server that cannot be reached is tried twice and then left for another', async () => {
    const reply = chart()
    const refused = failed('connection', { fault: 'refused', origin: 'home' })
    reply.send(unknown, refused)
    await reply.clock.advance(200)
    expect(reply.started.looks).toHaveLength(2)
    reply.send(refused)
    expect(reply.started.looks.at(-1)?.leftAlone).toEqual(['home'])
    reply.send(located(far))
    expect(reply.asked()).toEqual(['m3'])
    reply.actor.stop()
  })

  test('segments that were not handed over are void', () => {
    const reply = chart()
    reply.send(...asking, firstToken, cut, failed('timeout', { fault: 'idle-timeout' }))
    expect(reply.types()).toEqual(['REPLY_SEGMENT', 'REPLY_RESTARTED', 'REPLY_DELAYED'])
    expect(reply.started.attempts.at(-1)).toMatchObject({ attempt: 2, after: { text: '', segments: 0 } })
    reply.actor.stop()
  })
})

describe('after the first words were heard', () => {
  const heard = [...asking, connected, firstToken, cut, committed]

  test('stop: the reply fails at once', () => {
    const reply = chart()
    expect(reply.send(...heard, failed('connection', { fault: 'cut' }))).toBe('failed')
    expect(reply.asked()).toEqual(['m1'])
    reply.actor.stop()
  })

  test('continue: the next model goes on from what was said', () => {
    const reply = chart({ afterCommit: 'continue' })
    reply.send(...heard, failed('connection', { fault: 'cut' }))
    expect(reply.started.attempts.at(-1)).toMatchObject({
      candidate: m2,
      attempt: 2,
      after: { text: 'Hi.', segments: 1 },
    })
    expect(reply.types()).not.toContain('REPLY_RESTARTED')
    expect(reply.send(reached, granted, firstToken, completed)).toBe('ended')
    expect(reply.reports.at(-1)).toMatchObject({ type: 'REPLY_ENDED', fallback: true })
    reply.actor.stop()
  })

  test('continue: with nobody left the reply fails', () => {
    const reply = chart({ afterCommit: 'continue' })
    // A fault that would be worth a retry, had nothing been heard.
    const broken = failed('http', { status: 500 })
    expect(reply.send(unknown, located(m1), reached, granted, firstToken, cut, committed, broken)).toBe('failed')
    expect(reply.types()).not.toContain('REPLY_RESTARTED')
    reply.actor.stop()
  })

  test('nothing is retried', async () => {
    const reply = chart()
    expect(reply.send(...heard, failed('http', { status: 500 }))).toBe('failed')
    reply.actor.stop()
    expect(reply.clock.pending).toBe(0)
  })
})
