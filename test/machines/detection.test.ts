import { createActor, fromPromise, initialTransition, transition, toPromise } from 'xstate'
import { describe, expect, test } from 'vitest'
import { detectionMachine, type DetectedDialect, type ProbeInput, type ProbeVerdict } from '../../machines/detection.ts'

const failure = (code: 'auth' | 'connection') => ({ code, message: 'no', retryable: false })
const foreign: ProbeVerdict = { verdict: 'foreign', note: 'GET /api/tags: 404' }
const dialects: DetectedDialect[] = ['ollama-chat', 'ollama-generate', 'openai']

/** Runs the chart with probes that answer as told; unlisted dialects are foreign. */
async function detect(verdicts: Partial<Record<DetectedDialect, ProbeVerdict>>, except: DetectedDialect[] = []) {
  const asked: DetectedDialect[] = []
  const probe = fromPromise<ProbeVerdict, ProbeInput>(async ({ input }) => {
    asked.push(input.dialect)
    return verdicts[input.dialect] ?? foreign
  })
  const actor = createActor(detectionMachine.provide({ actors: { probe } }), { input: { except } }).start()
  const output = await toPromise(actor)
  return { asked, output, state: actor.getSnapshot().value, context: actor.getSnapshot().context }
}

describe('detection', () => {
  test('probes in order and stops at the first dialect that is spoken', async () => {
    const { asked, output, state } = await detect({ 'ollama-generate': { verdict: 'spoken', version: '0.1' } })
    expect(asked).toEqual(['ollama-chat', 'ollama-generate'])
    expect(state).toBe('found')
    expect(output).toMatchObject({ outcome: 'found', dialect: 'ollama-generate', version: '0.1' })
  })

  test('a demand for a key ends it at once', async () => {
    const { asked, state, output } = await detect({
      'ollama-chat': { verdict: 'unauthorized', failure: failure('auth') },
    })
    expect(asked).toEqual(['ollama-chat'])
    expect(state).toBe('unauthorized')
    expect(output).toMatchObject({ outcome: 'unauthorized', failure: { code: 'auth' } })
  })

  test('silence ends it as unreachable', async () => {
    const { state, output } = await detect({ openai: { verdict: 'unreachable', failure: failure('connection') } })
    expect(state).toBe('unreachable')
    expect(output.outcome).toBe('unreachable')
  })

  test('a server that speaks nothing known is unrecognized, with notes for people', async () => {
    const { state, output } = await detect({})
    expect(state).toBe('unrecognized')
    expect(output.notes).toHaveLength(3)
  })

  test('a dialect whose path was not found is left out', async () => {
    const { asked } = await detect({ openai: { verdict: 'spoken' } }, ['ollama-chat'])
    expect(asked).toEqual(['ollama-generate', 'openai'])
  })

  test.each(dialects)('%s: whatever its probe finds, the detection ends with that', async (dialect) => {
    const before = dialects.slice(0, dialects.indexOf(dialect) + 1)
    const verdicts: ProbeVerdict[] = [
      { verdict: 'spoken' },
      { verdict: 'unauthorized', failure: failure('auth') },
      { verdict: 'unreachable', failure: failure('connection') },
    ]
    for (const found of verdicts) {
      const { asked, state } = await detect({ [dialect]: found })
      expect([state, asked]).toEqual([found.verdict === 'spoken' ? 'found' : found.verdict, before])
    }
    expect((await detect({}, [dialect])).asked).toEqual(dialects.filter((other) => other !== dialect))
  })

  test.each(dialects)('%s: a probe that throws ends it as unreachable', async (dialect) => {
    const probe = fromPromise<ProbeVerdict, ProbeInput>(({ input }) =>
      input.dialect === dialect ? Promise.reject(new Error('bug')) : Promise.resolve(foreign),
    )
    const actor = createActor(detectionMachine.provide({ actors: { probe } })).start()
    expect(await toPromise(actor)).toMatchObject({ outcome: 'unreachable', failure: { code: 'internal' } })
    expect(actor.getSnapshot().value).toBe('unreachable')
  })

  test('every state has a description, and the context survives JSON', async () => {
    for (const state of Object.values(detectionMachine.root.states)) expect(state.description).toBeTruthy()
    const { context } = await detect({ openai: { verdict: 'spoken' } })
    expect(JSON.parse(JSON.stringify(context))).toEqual(context)
  })

  test('is a pure function without anything provided', () => {
    const [first] = initialTransition(detectionMachine)
    expect(first.value).toBe('probingOllamaChat')
    const [next] = transition(detectionMachine, first, {
      type: 'xstate.done.actor.0.detection.probingOllamaChat',
      output: foreign,
      actorId: '0.detection.probingOllamaChat',
    })
    expect(next.value).toBe('probingOllamaGenerate')
  })
})
