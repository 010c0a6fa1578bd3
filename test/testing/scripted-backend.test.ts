import { describe, expect, test } from 'vitest'
import { LlmError, type BackendRecord, type ChatRequest } from '../../src/backends/contract.ts'
import { scriptedBackend, type BackendScript, type ScriptedAnswer } from '../../src/testing/scripted-backend.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'

const request: ChatRequest = { model: 'm1', messages: [{ role: 'user', content: 'hi' }] }

async function ask(answer: ScriptedAnswer, script: BackendScript = {}) {
  const clock = virtualClock()
  const backend = scriptedBackend({ ...script, replies: [answer] }, clock)
  const abort = new AbortController()
  const deltas: [number, string][] = []
  const on = (record: BackendRecord) => {
    if (record.type === 'delta') deltas.push([clock.now(), `${record.kind === 'thinking' ? '~' : ''}${record.text}`])
  }
  const outcome: { ended?: number; error?: unknown } = {}
  backend.stream(request, on, abort.signal).then(
    () => (outcome.ended = clock.now()),
    (error: unknown) => (outcome.error = error),
  )
  await clock.settle()
  return { clock, backend, abort, deltas, outcome }
}

describe('the scripted backend', () => {
  test('sends word by word at its pace and ends with the last', async () => {
    const { clock, deltas, outcome } = await ask({ text: 'It is noon.' })
    await clock.runUntilIdle()
    expect(deltas).toEqual([
      [100, 'It'],
      [120, ' is'],
      [140, ' noon.'],
    ])
    expect(outcome).toEqual({ ended: 140 })
  })

  test('thinking comes before, at the same pace; deltas are taken verbatim', async () => {
    const { clock, deltas } = await ask({ thinking: ['hm'], deltas: ['今', '天'], firstTokenMs: 10, perTokenMs: 5 })
    await clock.runUntilIdle()
    expect(deltas).toEqual([
      [10, '~hm'],
      [15, '今'],
      [20, '天'],
    ])
  })

  test.each([
    [
      { kind: 'http', status: 500 },
      { code: 'http', status: 500, retryable: true },
    ],
    [
      { kind: 'http', status: 404 },
      { code: 'model-missing', status: 404 },
    ],
    [
      { kind: 'http', status: 503 },
      { code: 'overloaded', fault: 'busy', origin: 'scripted://backend' },
    ],
    [{ kind: 'http', status: 401 }, { code: 'auth' }],
    [{ kind: 'refused' }, { code: 'connection', fault: 'refused', origin: 'scripted://backend' }],
  ] as const)('%o answers at once', async (fault, facts) => {
    const { backend, clock, outcome } = await ask({ text: 'x', fault })
    expect(outcome.error).toBeInstanceOf(LlmError)
    expect(outcome.error).toMatchObject(facts)
    expect([backend.requests.length, clock.pending]).toEqual([1, 0])
    expect(backend.requests[0]?.aborted).toBe(false)
  })

  test.each([
    [
      { kind: 'cut', afterTokens: 2 },
      { code: 'protocol', fault: 'cut' },
    ],
    [
      { kind: 'no-end', afterTokens: 2 },
      { code: 'protocol', fault: 'no-end' },
    ],
    [
      { kind: 'error-record', afterTokens: 2 },
      { code: 'http', fault: 'error-record' },
    ],
  ] as const)('%o comes with its last token', async (fault, facts) => {
    const { clock, deltas, outcome } = await ask({ text: 'one two three', fault })
    await clock.runUntilIdle()
    expect(outcome.error).toMatchObject(facts)
    expect(deltas).toHaveLength(2)
    expect(clock.now()).toBe(120)
  })

  test('a stall says nothing more and leaves no timer; an abort ends it', async () => {
    const { clock, deltas, outcome, abort, backend } = await ask({
      text: 'one two',
      fault: { kind: 'stall', afterTokens: 1 },
    })
    await clock.runUntilIdle()
    expect([deltas.length, outcome]).toEqual([1, {}])
    abort.abort(new Error('enough'))
    await clock.settle()
    expect(outcome.error).toEqual(new Error('enough'))
    expect(backend.requests[0]).toMatchObject({ aborted: true, closedAtMs: 100 })
  })

  test('an abort before the first token closes the request and nothing comes', async () => {
    const { clock, deltas, abort, outcome } = await ask({ text: 'one two' })
    abort.abort()
    await clock.runUntilIdle()
    expect([deltas, clock.pending]).toEqual([[], 0])
    expect(outcome.error).toBeDefined()
  })

  test('a deaf backend goes on sending after an abort', async () => {
    const { clock, deltas, abort, backend } = await ask({ text: 'one two', fault: { kind: 'deaf' } })
    await clock.advanceTo(100)
    abort.abort()
    expect(backend.lingering).toBe(1)
    await clock.runUntilIdle()
    expect(deltas).toHaveLength(2)
    expect([backend.lingering, backend.requests[0]?.aborted]).toEqual([0, true])
  })

  test('a model that it does not have is missing; a reply meant for another model is told', async () => {
    expect((await ask({ text: 'x' }, { models: ['m2'] })).outcome.error).toMatchObject({ code: 'model-missing' })
    expect((await ask({ text: 'x', model: 'm2' })).backend.mismatches).toEqual([
      'request 0 was asked of m1, its reply is meant for m2',
    ])
  })
})
