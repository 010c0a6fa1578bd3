import { describe, expect, it } from 'vitest'
import { LlmError, type Backend, type BackendRecord } from '../../src/backends/contract.ts'
import { guardBackend } from '../../src/runtime/collaborators/backend.ts'
import { nothingEndsTheProcess } from '../support/nothing-ends-the-process.ts'
import { settlingClock } from '../support/settling-clock.ts'

nothingEndsTheProcess()

const request = { model: 'm1', messages: [{ role: 'user' as const, content: 'hello' }] }
const end = { model: 'm1', finishReason: 'stop' as const, usage: {} }
const text = (words: string): BackendRecord => ({ type: 'delta', kind: 'text', text: words })

/** A backend as JavaScript may write it. */
function guarded(methods: Record<string, unknown>) {
  const reported: string[] = []
  const clock = settlingClock()
  const healthy: Backend = {
    name: 'scripted',
    origin: 'scripted://guarded',
    canAbortPrompt: true,
    stream: async () => end,
    models: async () => [],
    describe: async (name) => ({ name }),
  }
  const backend = guardBackend(Object.assign({}, healthy, methods), clock, (message) => reported.push(message))
  return { backend, reported, clock, signal: new AbortController().signal }
}

const failureOf = (promise: Promise<unknown> | undefined) =>
  promise?.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('the stream of a backend that a program brings', () => {
  it('passes on what is right, in order, and the end', async () => {
    const call = { id: 'c', name: 'lamp', arguments: { on: true } }
    const records: BackendRecord[] = [
      { type: 'connected' },
      { type: 'headers', status: 200 },
      text('Hi'),
      { type: 'calling' },
      { type: 'tool-calls', calls: [call] },
    ]
    const { backend, signal, reported } = guarded({
      async stream(_: unknown, on: (record: BackendRecord) => void) {
        records.forEach(on)
        return { ...end, usage: { promptTokens: 7, replyTokens: 'many' }, loadMs: Number.NaN, promptMs: 3 }
      },
    })
    const heard: BackendRecord[] = []
    expect(await backend.stream(request, (record) => heard.push(record), signal)).toEqual({
      ...end,
      usage: { promptTokens: 7 },
      promptMs: 3,
    })
    expect(heard).toEqual(records)
    expect(reported).toEqual([])
  })

  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  it.each([
    undefined,
    null,
    'Hi',
    {},
    { type: 'delta' },
    { type: 'delta', kind: 'text', text: 5 },
    { type: 'delta', kind: 'song', text: 'la' },
    { type: 'tool-calls', calls: [{ id: 5 }] },
    { type: 'tool-calls', calls: [{ id: 'c', name: 'lamp', arguments: circle }] },
    { type: 'tool-calls', calls: [{ id: 'c', name: 'lamp', arguments: { n: 5n } }] },
    {
      get type() {
        throw new Error('a getter')
      },
    },
  ])(
    'ends with `protocol` at something that is no record, also from a callback that nobody guards (%#)',
    async (odd) => {
      let say: (record: unknown) => void = () => {}
      const { backend, signal, reported } = guarded({
        stream: (_: unknown, on: (record: unknown) => void) => {
          say = on
          return new Promise(() => {})
        },
      })
      const heard: BackendRecord[] = []
      const failed = failureOf(backend.stream(request, (record) => heard.push(record), signal))
      await Promise.resolve()
      say(text('Hi'))
      say(odd)
      say(text('more'))
      expect(await failed).toMatchObject({ name: 'LlmError', code: 'protocol' })
      expect(heard).toEqual([text('Hi')])
      expect(reported).toEqual(['the backend failed in stream'])
    },
  )

  it.each([undefined, null, 'stop', {}, { finishReason: 'done' }])(
    'without an end record (%j) is `protocol`',
    async (odd) => {
      const { backend, signal } = guarded({ stream: async () => odd })
      expect(await failureOf(backend.stream(request, () => {}, signal))).toMatchObject({ code: 'protocol' })
    },
  )

  it('rejects with an LlmError whatever was thrown, and with the reason of an abort as it is', async () => {
    const cause = new Error('ECONNREFUSED')
    for (const stream of [async () => Promise.reject(cause), () => Promise.reject(cause)]) {
      const { backend, signal } = guarded({ stream })
      expect(await failureOf(backend.stream(request, () => {}, signal))).toMatchObject({ code: 'internal', cause })
    }
    const busy = new LlmError('overloaded', { message: 'busy' })
    const { backend, signal, reported } = guarded({ stream: async () => Promise.reject(busy) })
    expect(await failureOf(backend.stream(request, () => {}, signal))).toBe(busy)
    // A backend may fail: that is none of its faults.
    expect(reported).toEqual([])
    const aborted = AbortSignal.abort('enough')
    const obedient = guarded({ stream: async () => Promise.reject(aborted.reason) })
    expect(await failureOf(obedient.backend.stream(request, () => {}, aborted))).toBe('enough')
  })
})

describe('what else such a backend tells', () => {
  it('models are those that have a name, with what of them is of the right type', async () => {
    const list = [
      null,
      5,
      {},
      { name: '' },
      { name: 'm1', loaded: 'yes', contextTokens: -1 },
      { name: 'm2', loaded: true, sizeBytes: 9 },
    ]
    const { backend, signal } = guarded({ models: async () => list })
    expect(await backend.models(signal)).toEqual([{ name: 'm1' }, { name: 'm2', loaded: true, sizeBytes: 9 }])
    for (const odd of [undefined, {}, 'm1', [null]]) {
      const other = guarded({ models: () => odd })
      expect(await failureOf(other.backend.models(signal))).toMatchObject({ code: 'protocol' })
      expect(other.reported).toEqual(['the backend failed in models'])
    }
    expect(await guarded({ models: () => [] }).backend.models(signal)).toEqual([])
  })

  it('a description is one, or `protocol`', async () => {
    const { backend, signal } = guarded({ describe: () => ({ name: 'm1', contextTokens: 4_096, chat: 5 }) })
    expect(await backend.describe('m1', signal)).toEqual({ name: 'm1', contextTokens: 4_096 })
    const odd = guarded({ describe: () => undefined })
    expect(await failureOf(odd.backend.describe('m1', signal))).toMatchObject({ code: 'protocol' })
  })

  it('a count is a number from 0 within 500 ms', async () => {
    expect(await guarded({ countTokens: () => 3 }).backend.countTokens?.('m1', 'hi')).toBe(3)
    for (const odd of [Number.NaN, -1, Infinity, '3', undefined]) {
      const { backend, reported } = guarded({ countTokens: async () => odd })
      expect(await failureOf(backend.countTokens?.('m1', 'hi'))).toMatchObject({ name: 'LlmError' })
      expect(reported).toEqual(['the backend failed in countTokens'])
    }
    const { backend, clock } = guarded({ countTokens: () => new Promise(() => {}) })
    const late = failureOf(backend.countTokens?.('m1', 'hi'))
    await clock.advance(500)
    expect(await late).toMatchObject({ name: 'LlmError' })
    expect(clock.pending).toBe(0)
  })

  it('reading ahead that throws at once is a rejection', async () => {
    const { backend, signal } = guarded({
      prewarm() {
        throw new Error('no')
      },
    })
    expect(await failureOf(backend.prewarm?.(request, signal))).toMatchObject({ code: 'internal' })
  })
})
