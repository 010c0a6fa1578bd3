import { createActor } from 'xstate'
import { expect, test } from 'vitest'
import { breakerMachine } from '../../machines/breaker.ts'

const breaker = () => createActor(breakerMachine, { input: { failures: 3, openMs: 5_000, maxOpenMs: 60_000 } }).start()
const state = (actor: ReturnType<typeof breaker>) => actor.getSnapshot().value

test('three failures in a row open it, two do not', () => {
  const actor = breaker()
  const fail = () => actor.send({ type: 'REQUEST_FAILED', atMs: 0 })
  fail()
  fail()
  actor.send({ type: 'REQUEST_SUCCEEDED' })
  fail()
  fail()
  expect(state(actor)).toBe('closed')
  fail()
  expect(state(actor)).toBe('open')
  actor.stop()
})

test('it stays open 5 s, and twice as long after each probe that fails, up to a minute', () => {
  const actor = breaker()
  for (let n = 0; n < 3; n++) actor.send({ type: 'REQUEST_FAILED', atMs: 0 })
  let nowMs = 0
  for (const openMs of [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
    actor.send({ type: 'PERMISSION_ASKED', atMs: nowMs + openMs - 1 })
    expect(state(actor)).toBe('open')
    nowMs += openMs
    actor.send({ type: 'PERMISSION_ASKED', atMs: nowMs })
    expect(state(actor)).toBe('probing')
    actor.send({ type: 'REQUEST_FAILED', atMs: nowMs })
  }
  actor.stop()
})

test('one probe that succeeds closes it, and everything is forgiven', () => {
  const actor = breaker()
  for (let n = 0; n < 3; n++) actor.send({ type: 'REQUEST_FAILED', atMs: 0 })
  actor.send({ type: 'PERMISSION_ASKED', atMs: 5_000 })
  actor.send({ type: 'REQUEST_SUCCEEDED' })
  expect(actor.getSnapshot()).toMatchObject({ value: 'closed', context: { failuresInRow: 0, openings: 0 } })
  actor.stop()
})

test('a probe that was given up lets the next to ask be the probe', () => {
  const actor = breaker()
  for (let n = 0; n < 3; n++) actor.send({ type: 'REQUEST_FAILED', atMs: 0 })
  actor.send({ type: 'PERMISSION_ASKED', atMs: 5_000 })
  actor.send({ type: 'REQUEST_ABANDONED' })
  expect(state(actor)).toBe('open')
  actor.send({ type: 'PERMISSION_ASKED', atMs: 5_000 })
  expect(state(actor)).toBe('probing')
  actor.stop()
})

test('what comes late from before it opened changes nothing', () => {
  const actor = breaker()
  for (let n = 0; n < 4; n++) actor.send({ type: 'REQUEST_FAILED', atMs: 0 })
  actor.send({ type: 'REQUEST_SUCCEEDED' })
  expect(actor.getSnapshot()).toMatchObject({ value: 'open', context: { openUntilMs: 5_000 } })
  actor.stop()
})
