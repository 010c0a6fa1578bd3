import { describe, expect, it } from 'vitest'
import { beginning, chainLine, readStoredConversation, sealSnapshot, type Place } from '../../src/persistence/record.ts'
import type { StoredConversation, StoredLine } from '../../src/persistence/store.ts'

const counters = { turns: 2, replies: 3 }
const said = {
  type: 'CALLER_TURN_ENDED',
  conversationId: 'a',
  turnId: 'turn-1',
  atMs: 1,
  text: 'hello',
  speaker: 'Ada',
}
const call = { id: 'c1', name: 'clock', arguments: { zone: 'utc' } }
const called = { type: 'TOOL_CALLED', turnId: 'turn-1', replyId: 'reply-1', ...call, result: 'noon', outcome: 'done' }
const heard = { type: 'RESPONSE_INTERRUPTED', turnId: 'turn-1', atMs: 2, reason: 'barge-in', heard: 'Hi', timings: {} }

function record(...facts: { type: string }[]): StoredConversation & { lines: StoredLine[] } {
  const lines: StoredLine[] = []
  let place: Place = beginning
  for (const fact of facts) {
    const line = chainLine(place, fact)
    lines.push(line)
    place = line
  }
  return { snapshot: sealSnapshot('a', place, counters, undefined), lines }
}

const reasonOf = (stored: StoredConversation) => {
  const read = readStoredConversation('a', stored)
  return read.ok ? 'none' : read.reason
}

describe('a stored conversation', () => {
  it('gives back what was said and heard, and where ids go on', () => {
    const given = {
      type: 'HISTORY_GIVEN',
      history: [
        { role: 'tool', text: 'Ada', turnId: 'turn-0', call: { ...call, name: 'caller' }, outcome: 'done' },
        { role: 'assistant', text: 'Welcome.' },
      ],
    }
    const started = { type: 'RESPONSE_STARTED', turnId: 'turn-1', durable: true }
    expect(readStoredConversation('a', record(given, said, called, started, heard))).toMatchObject({
      ok: true,
      place: { seq: 5 },
      remembered: {
        counters,
        history: [
          { role: 'tool', text: 'Ada', turnId: 'turn-0', call: { ...call, name: 'caller' }, outcome: 'done' },
          { role: 'assistant', text: 'Welcome.' },
          { role: 'user', text: 'hello', turnId: 'turn-1', speaker: 'Ada' },
          { role: 'tool', text: 'noon', turnId: 'turn-1', call, outcome: 'done' },
          { role: 'assistant', text: 'Hi', turnId: 'turn-1', interrupted: true },
        ],
      },
    })
    expect(readStoredConversation('a', record())).toMatchObject({
      ok: true,
      place: beginning,
      remembered: { history: [] },
    })
  })

  it('may count typed turns apart, as earlier versions did', () => {
    const older = { ...counters, begun: 7 }
    const stored = { snapshot: sealSnapshot('a', beginning, older, undefined), lines: [] }
    expect(readStoredConversation('a', stored)).toMatchObject({ ok: true, remembered: { counters } })
  })

  it('remembers a reply that was not over', () => {
    const unfinished = { turnId: 'turn-2', replyId: 'reply-3', heard: 'It is' }
    const { lines } = record(said)
    const [last] = lines
    if (last === undefined) throw new Error('no line')
    expect(
      readStoredConversation('a', { lines, snapshot: sealSnapshot('a', last, counters, unfinished) }),
    ).toMatchObject({
      ok: true,
      remembered: { unfinished },
    })
  })

  it('may hold facts of a newer version, which are no turns', () => {
    expect(readStoredConversation('a', record(said, { type: 'SOMETHING_NEW' }))).toMatchObject({
      ok: true,
      remembered: { history: [{ text: 'hello' }] },
    })
  })

  it('is refused wherever it was changed, and the reason quotes nothing of it', () => {
    const whole = record(said, heard)
    const [one, two] = whole.lines
    if (one === undefined || two === undefined) throw new Error('no lines')
    const edited = { ...one, body: one.body.replace('hello', 'goodbye') }
    const cases: [string, StoredConversation][] = [
      ['line 1 of its log was changed', { ...whole, lines: [edited, two] }],
      ['line 2 of its log was changed', { ...whole, lines: [one, { ...two, check: one.check }] }],
      ['line 1 of its log is missing', { ...whole, lines: [two] }],
      ['its snapshot belongs to another log', { ...whole, lines: [one] }],
      ['its snapshot belongs to another log', { ...whole, snapshot: record(said, said).snapshot }],
      ['its snapshot was changed', { ...whole, snapshot: whole.snapshot.replace('"turns":2', '"turns":0') }],
      ['its snapshot is no JSON', { ...whole, snapshot: whole.snapshot.slice(0, -1) }],
      ['its snapshot is no JSON', { ...whole, snapshot: 'null' }],
      ['its snapshot was changed', { ...whole, snapshot: whole.snapshot.replace('"format":1', '"format":"1"') }],
      ['line 1 of its log has an unknown form', record({ type: 'CALLER_TURN_ENDED' })],
    ]
    for (const [reason, stored] of cases) expect(reasonOf(stored)).toBe(reason)
    expect(readStoredConversation('b', whole)).toEqual({ ok: false, reason: 'it belongs to another conversation' })
  })

  it('of a newer format is refused, but nothing is wrong with it', () => {
    const whole = record(said)
    const newer = { ...whole, snapshot: whole.snapshot.replace('"format":1', '"format":2') }
    expect(readStoredConversation('a', newer)).toMatchObject({ ok: false, isNewer: true })
  })
})
