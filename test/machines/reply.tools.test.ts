import { createActor, fromCallback } from 'xstate'
import { describe, expect, test } from 'vitest'
import type { AttemptInput, CallInput, LocateInput, ReplyEvent } from '../../machines/reply/context.ts'
import { replyMachine } from '../../machines/reply/machine.ts'
import type { ReplyCommand, ReplyInput } from '../../machines/vocabulary.ts'
import {
  answered,
  answerOf,
  chart,
  clock,
  committed,
  completed,
  cut,
  failed,
  firstToken,
  granted,
  lamp,
  located,
  m1,
  m2,
  miswritten,
  reached,
  replyInput,
  unknown,
  wanted,
} from '../support/reply-events.ts'

const requested = [reached, granted, firstToken]
const asking = [unknown, located(m1, m2), ...requested]
const adopted: ReplyEvent = { type: 'REPLY_ADOPTED', turnId: 'typed-1' }

describe('a model that calls functions', () => {
  test('they run side by side, without a slot, and the model is asked again with what came of them', () => {
    const reply = chart()
    // Each is told with its place: which round, which call, after how much of the reply.
    const [first, second] = [clock, lamp].map((call, index) => ({ ...call, round: 1, index, saidChars: 3 }))
    if (first === undefined || second === undefined) throw new Error('two calls have two places')
    expect(reply.send(...asking, cut, wanted(clock, lamp))).toEqual({ calling: 'running' })
    expect(reply.started.calls).toEqual([{ reply: replyInput, calls: [clock, lamp] }])
    expect([reply.started.running, reply.started.calling]).toEqual([0, 1])
    expect(reply.send(answered(lamp))).toEqual({ calling: 'running' })
    expect(reply.send(answered(clock))).toEqual({ attempting: 'reaching' })
    expect(reply.started.calling).toBe(0)
    expect(reply.started.attempts.at(-1)).toMatchObject({
      candidate: m1,
      attempt: 2,
      after: { text: 'Hi.', segments: 1 },
      rounds: [{ text: 'Let me look.', calls: [clock, lamp], answers: [answerOf(lamp), answerOf(clock)] }],
    })
    expect(reply.send(...requested, completed)).toBe('ended')
    expect(reply.reports.slice(1)).toEqual([
      { type: 'REPLY_DELAYED', replyId: 'r1', reason: 'tool' },
      { type: 'REPLY_CALLING', replyId: 'r1', calls: [first, second] },
      { type: 'REPLY_CALLED', replyId: 'r1', ...answerOf(second) },
      { type: 'REPLY_CALLED', replyId: 'r1', ...answerOf(first) },
      expect.objectContaining({ type: 'REPLY_ENDED', fallback: false }),
    ])
    reply.actor.stop()
    expect(reply.clock.pending).toBe(0)
  })

  test('tokens written in all rounds are counted together', () => {
    const reply = chart()
    reply.send(...asking, { type: 'TOOLS_WANTED', text: '', calls: [clock], replyTokens: 20 }, answered(clock))
    const end = { text: 'Noon.', model: 'm1', backend: 'x', cached: false, finishReason: 'stop' as const }
    const usage = { promptTokens: 90, replyTokens: 3 }
    reply.send(...requested, { type: 'TEXT_COMPLETED', end: { ...end, usage } })
    expect(reply.reports.at(-1)).toMatchObject({ usage: { promptTokens: 90, replyTokens: 23 } })
    reply.actor.stop()
  })

  test('one that is not done after toolMs is stopped and told as such, and the reply goes on', async () => {
    const reply = chart()
    reply.send(...asking, wanted(clock, lamp), answered(clock))
    await reply.clock.advance(9_999)
    expect([reply.work(), reply.started.calling]).toEqual([{ calling: 'running' }, 1])
    await reply.clock.advance(1)
    expect([reply.work(), reply.started.calling]).toEqual([{ attempting: 'reaching' }, 0])
    expect(reply.reports.at(-1)).toMatchObject({ type: 'REPLY_CALLED', call: lamp, outcome: 'aborted' })
    expect(reply.started.attempts.at(-1)?.rounds[0]?.answers).toMatchObject([
      { call: clock, outcome: 'done' },
      { call: lamp, outcome: 'aborted' },
    ])
    reply.actor.stop()
    expect(reply.clock.pending).toBe(0)
  })

  test('a call that cannot be made is told to the model, and nothing is run or waited for', () => {
    const reply = chart()
    expect(reply.send(...asking, miswritten)).toEqual({ attempting: 'reaching' })
    expect(reply.started.calls).toEqual([])
    expect(reply.types()).toEqual([])
    expect(reply.started.attempts.at(-1)?.rounds).toMatchObject([{ calls: [{ problem: 'Not run: no valid JSON.' }] }])
    expect(reply.send(...requested, completed)).toBe('ended')
    reply.actor.stop()
  })

  test('the second such call fails the reply, and no other model is asked', () => {
    const reply = chart()
    reply.send(...asking, miswritten, ...requested, wanted(clock), answered(clock), ...requested)
    expect(reply.send({ type: 'TOOLS_WANTED', text: '', calls: [] })).toBe('failed')
    expect([reply.error(), reply.asked()]).toEqual(['tool', ['m1', 'm1', 'm1']])
    reply.actor.stop()
  })

  test('after three rounds the model has to answer in words', () => {
    const reply = chart()
    reply.send(...asking)
    for (const id of ['a', 'b', 'c']) reply.send(wanted({ ...clock, id }), answered({ ...clock, id }), ...requested)
    expect(reply.started.attempts).toHaveLength(4)
    expect(reply.send(wanted(lamp))).toBe('failed')
    expect([reply.error(), reply.started.calls.length]).toEqual(['tool', 3])
    reply.actor.stop()
  })

  test('a speculation runs nothing before it is adopted', async () => {
    const reply = chart({ input: { ...replyInput, purpose: 'speculation' } })
    expect(reply.send(...asking, wanted(clock))).toEqual({ calling: 'held' })
    await reply.clock.advance(60_000)
    expect([reply.started.calls, reply.types()]).toEqual([[], []])
    expect(reply.send(adopted)).toEqual({ calling: 'running' })
    expect(reply.started.calls).toEqual([{ reply: { ...replyInput, turnId: 'typed-1' }, calls: [clock] }])
    expect(reply.types()).toEqual(['REPLY_DELAYED', 'REPLY_CALLING'])
    reply.actor.stop()
  })

  test('functions that cannot be started fail the reply and not its parent', () => {
    const actors = {
      recall: fromCallback<ReplyCommand, ReplyInput>(({ sendBack }) => sendBack(unknown)),
      locate: fromCallback<ReplyCommand, LocateInput>(({ sendBack }) => sendBack(located(m1))),
      attempt: fromCallback<ReplyCommand, AttemptInput>(({ sendBack }) => sendBack(wanted(clock))),
      call: fromCallback<ReplyCommand, CallInput>(() => {
        throw new Error('oops')
      }),
    }
    const actor = createActor(replyMachine.provide({ actors }), { input: replyInput })
    const errors: string[] = []
    actor.on('REPLY_FAILED', ({ error }) => errors.push(error.code))
    actor.start()
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', value: { work: 'failed' } })
    expect(errors).toEqual(['internal'])
    actor.stop()
  })
})

describe('a request that fails after functions were called', () => {
  const called = [...asking, cut, wanted(clock), answered(clock), ...requested]

  test('unheard: the next model gets the results, nothing is called again, and what was said is void', () => {
    const reply = chart()
    reply.send(...called, failed('protocol', { fault: 'no-end' }))
    expect(reply.started.attempts.at(-1)).toMatchObject({
      candidate: m2,
      after: { text: '', segments: 0 },
      rounds: [{ text: '', calls: [clock], answers: [answerOf(clock)] }],
    })
    expect(reply.started.calls).toHaveLength(1)
    expect(reply.types().filter((type) => type === 'REPLY_RESTARTED')).toHaveLength(1)
    expect(reply.send(...requested, completed)).toBe('ended')
    reply.actor.stop()
  })

  test('unheard: each request has its own retry, and a prompt that was too long before is no reason to shorten', async () => {
    const reply = chart()
    reply.send(...asking, failed('context-overflow'), ...requested, wanted(clock), answered(clock))
    expect(reply.started.attempts.at(-1)?.shorter).toBe(false)
    reply.send(...requested, failed('http', { status: 500 }))
    await reply.clock.advance(200)
    reply.send(...requested, wanted(lamp), answered(lamp), ...requested, failed('http', { status: 500 }))
    await reply.clock.advance(200)
    expect(reply.asked()).toEqual(['m1', 'm1', 'm1', 'm1', 'm1', 'm1'])
    reply.actor.stop()
  })

  test('unheard: each request may be answered with nothing once', () => {
    const reply = chart()
    const empty = failed('empty-reply')
    reply.send(...asking, empty, ...requested, wanted(clock), answered(clock), ...requested)
    expect(reply.send(empty)).toBe('failed')
    const other = chart()
    other.send(unknown, located(m1, m2, { ...m2, model: 'm3' }), ...requested, empty, ...requested)
    other.send(wanted(clock), answered(clock), ...requested)
    expect(other.send(empty)).toEqual({ attempting: 'reaching' })
    expect(other.asked()).toEqual(['m1', 'm2', 'm2', 'm3'])
    for (const { actor } of [reply, other]) actor.stop()
  })

  test('heard: the reply ends, also where another model would continue one without functions', () => {
    const reply = chart({ afterCommit: 'continue' })
    reply.send(committed)
    expect(reply.send(...called, failed('protocol', { fault: 'no-end' }))).toBe('failed')
    expect(reply.asked()).toEqual(['m1', 'm1'])
    reply.actor.stop()
  })
})
