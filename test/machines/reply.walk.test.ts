import { initialTransition, transition, type SnapshotFrom } from 'xstate'
import { expect, test } from 'vitest'
import type { ReplyEvent } from '../../machines/reply/context.ts'
import { replyMachine } from '../../machines/reply/machine.ts'
import type { ReplyInput } from '../../machines/vocabulary.ts'
import { mostRounds, unanswered } from '../../machines/tool-calls.ts'
import * as said from '../support/reply-events.ts'

/*
 * Every reachable situation of the reply chart × every event. The projection: state value, who is asked, who is left,
 * what has been tried, whether segments are out, what was called. Attempts are counted on for ever and are left out.
 */
type Snapshot = SnapshotFrom<typeof replyMachine>
const delays = [
  ['recallMs', 'looking'],
  ['locateMs', 'locating'],
  ['locateMs', 'attempting.reaching'],
  ['queueMs', 'attempting.queued'],
  ['connectMs', 'attempting.requested.connecting'],
  ['firstTokenMs', 'attempting.requested'],
  ['totalMs', 'attempting.streaming'],
  ['toolMs', 'calling.running'],
  ['retryMs', 'backingOff'],
].map(([delay, state]) => ({ type: `xstate.after.${delay}.reply.work.${state}` }))
const mistakes = ['recall', 'locate', 'attempt', 'call'].map((id) => ({ type: `xstate.error.actor.${id}` }))
const told: ReplyEvent[] = [
  said.unknown,
  said.located(said.m1, said.far),
  said.located(),
  said.reached,
  { type: 'SLOT_AWAITED' },
  said.granted,
  said.connected,
  said.firstToken,
  said.cut,
  said.committed,
  { type: 'REPLY_ADOPTED' },
  said.completed,
  said.failed('http', { status: 500 }),
  said.failed('connection', { fault: 'refused' }),
  said.failed('context-overflow'),
  said.failed('empty-reply'),
  said.failed('content-filter'),
]
const called: ReplyEvent[] = [
  said.wanted(said.clock, said.lamp),
  said.miswritten,
  said.answered(said.clock),
  said.answered(said.lamp),
]
// XState's own events have no type to be named by; JSON has no types at all.
const asWritten = (events: object[]): ReplyEvent[] => JSON.parse(JSON.stringify(events))
/** Each kind of failure, and functions: two walks, because the product of both tells nothing more. */
const alphabets = {
  failures: asWritten([...told, ...delays, ...mistakes]),
  functions: asWritten([
    ...told.filter(({ type }) => type !== 'ATTEMPT_FAILED' && type !== 'SLOT_AWAITED'),
    said.failed('http', { status: 500 }),
    ...called,
    ...delays,
    ...mistakes,
  ]),
}

const serialize = ({ value, context }: Snapshot): string =>
  JSON.stringify([
    value,
    context.current?.model,
    context.remaining.length,
    context.leftAlone.toSorted().join(),
    context.retries,
    context.amendments,
    context.emptyReplies,
    context.reported.segments > 0,
    context.purpose,
    context.rounds.length,
    context.refusals,
    context.rounds.slice(-1).map((round) => unanswered(round).length),
  ])

interface Situation {
  state: Snapshot
  next: { event: ReplyEvent; key: string; state: Snapshot }[]
}

/** As `getAdjacencyMap` of xstate/graph walks, whose types take no chart that emits events of its own. */
function explore(alphabet: readonly ReplyEvent[], purpose: ReplyInput['purpose'], limit: number) {
  const [first] = initialTransition(replyMachine, { ...said.replyInput, purpose })
  const found = new Map<string, Situation>([[serialize(first), { state: first, next: [] }]])
  for (const { state, next } of found.values()) {
    if (found.size > limit) throw new Error(`more than ${limit} situations`)
    for (const event of alphabet) {
      // Nothing of a speculation reaches the sink.
      if (event.type === 'REPLY_COMMITTED' && state.context.purpose === 'speculation') continue
      const [after] = transition(replyMachine, state, event)
      const key = serialize(after)
      next.push({ event, key, state: after })
      if (!found.has(key)) found.set(key, { state: after, next: [] })
    }
  }
  return found
}

const walks = [explore(alphabets.failures, 'answer', 20_000), explore(alphabets.functions, 'speculation', 20_000)]
const situations = walks.flatMap((walk) => [...walk.values()])
const isOver = (value: object | string) => JSON.stringify(value).match(/"work":"(ended|failed)"/) !== null

test('the walk meets every state', () => {
  const met = new Set(situations.map(({ state }) => JSON.stringify(state.value)))
  for (const state of [
    '"looking"',
    '"locating"',
    '{"attempting":"reaching"}',
    '{"attempting":"queued"}',
    '{"attempting":{"requested":"connecting"}}',
    '{"attempting":{"requested":"awaitingFirstToken"}}',
    '{"attempting":"streaming"}',
    '{"calling":"held"}',
    '{"calling":"running"}',
    '"backingOff"',
    '"ended"',
    '"failed"',
  ]) {
    for (const standing of ['unheard', 'heard']) {
      if (standing === 'heard' && (state === '"backingOff"' || state === '{"calling":"held"}')) continue
      expect(met).toContain(`{"standing":"${standing}","work":${state}}`)
    }
  }
  expect(situations.length).toBeGreaterThan(100)
  console.log(`${walks.map(({ size }) => size).join(' and ')} situations of a reply`)
})

test.each(walks)('from every situation the time-outs alone lead to an end: %#', (map) => {
  // Backwards from the ends, along time-outs only; a speculation is adopted, or dropped from outside.
  const fine = new Set([...map].filter(([, { state }]) => isOver(state.value)).map(([key]) => key))
  for (let before = -1; before !== fine.size;) {
    before = fine.size
    for (const [key, { next }] of map) {
      if (next.some((step) => /^(?:xstate.after|REPLY_ADOPTED)/u.test(step.event.type) && fine.has(step.key)))
        fine.add(key)
    }
  }
  const stuck = [...map].flatMap(([key]) => (fine.has(key) ? [] : [key]))
  expect(stuck).toEqual([])
})

test('what is over stays over, and says nothing more', () => {
  for (const { state, next: steps } of situations) {
    if (!isOver(state.value)) continue
    for (const { state: next } of steps) expect(next.value.work).toBe(state.value.work)
  }
})

test('an attempt lives in attempting and nowhere else', () => {
  for (const { state } of situations) {
    const attempts = JSON.stringify(state.value).includes('attempting')
    expect(state.children['attempt'] !== undefined).toBe(attempts)
  }
})

test('after the first words nothing starts again from the top', () => {
  for (const { state, next: steps } of situations) {
    if (state.value.standing !== 'heard') continue
    for (const { state: next } of steps) {
      expect(next.value.standing).toBe('heard')
      expect(next.context.reported.segments).toBeGreaterThanOrEqual(state.context.reported.segments)
    }
  }
})

test('functions run in calling and nowhere else, never for a speculation, and a bounded number of times', () => {
  for (const { state, next: steps } of situations) {
    const isRunning = JSON.stringify(state.value).includes('"calling":"running"')
    expect(state.children['call'] !== undefined).toBe(isRunning)
    if (isRunning) expect(state.context.purpose).toBe('answer')
    expect(state.context.rounds.length).toBeLessThanOrEqual(mostRounds)
    expect(state.context.refusals).toBeLessThanOrEqual(1)
    // Nothing that was called is ever forgotten, or it would be called again.
    for (const { state: next } of steps) {
      const ids = (one: Snapshot) => one.context.rounds.map(({ calls }) => calls.map(({ id }) => id))
      expect(ids(next).slice(0, state.context.rounds.length)).toEqual(ids(state))
    }
  }
})

test('no request is made while a call of the last one has no result', () => {
  for (const { state } of situations) {
    if (!JSON.stringify(state.value).includes('attempting')) continue
    expect(state.context.rounds.flatMap((round) => unanswered(round))).toEqual([])
  }
})

test('every state is described, and the context is plain data', () => {
  for (const { state } of situations) {
    expect(JSON.parse(JSON.stringify(state.context))).toEqual(state.context)
  }
  const undescribed: string[] = []
  const look = (node: typeof replyMachine.root) => {
    if (node.parent && !node.description) undescribed.push(node.id)
    Object.values(node.states).forEach(look)
  }
  look(replyMachine.root)
  expect(undescribed).toEqual([])
})
