import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { formatScenario, runScenario, type ScenarioInput } from '../../src/testing/index.ts'

const given = new URL('../scenarios/given/', import.meta.url)
const greeting: ScenarioInput = {
  name: 'a greeting is returned',
  backend: { replies: [{ text: 'Hello there.' }] },
  timeline: [[0, 'SPEECH_DETECTED', 'hello']],
}

describe('a scenario', () => {
  test('that holds passes, and its timeline can be read', async () => {
    const result = await runScenario({ ...greeting, expect: [{ heard: 'Hello there.' }, { final: 'idle' }] })
    expect(result.passed).toBe(true)
    expect(result.timeline).toContain('     0ms  caller    SPEECH_DETECTED "hello"')
    expect(result.timeline).toContain('   120ms  machine   generating -> responding')
    expect(formatScenario(result)).toMatch(/^passed {2}a greeting is returned\n[^]*\n {2}ok {4}final state: "idle"/u)
  })

  test.each<[string, unknown]>([
    ['RESPONSE_FINISHED 2 times', { event: 'RESPONSE_FINISHED', count: 2 }],
    ['RESPONSE_FINISHED 1 times within 0…500', { event: 'RESPONSE_FINISHED', between: [0, 500] }],
    ['RESPONSE_FINISHED at [0]', { event: 'RESPONSE_FINISHED', times: [0] }],
    ['RESPONSE_FINISHED 1 times with {"heard":"Hello"}', { event: 'RESPONSE_FINISHED', with: { heard: 'Hello' } }],
    ['state at 60', { state: 'responding', at: 60 }],
    ['final state', { final: 'stopped' }],
    ['history', { history: [{ role: 'user', text: 'hello' }] }],
    [
      'history',
      {
        history: [
          { role: 'user', text: 'hello' },
          { role: 'assistant', text: 'Hello there.', interrupted: true },
        ],
      },
    ],
    ['requests', { requests: 2 }],
    ['models asked', { models: ['m2'] }],
    ['aborted requests', { aborted: [0] }],
    ['messages of request 0', { prompt: 0, messages: [{ role: 'user', text: 'hi' }] }],
    ['messages of request 1', { prompt: 1, messages: [] }],
    ['segments', { segments: ['Hello', 'there.'] }],
    ['heard', { heard: 'Hello' }],
    ['sink paused', { paused: [[100, 200]] }],
    ['silent from 200', { silentFrom: 200 }],
  ])('that does not hold fails: %s', async (check, expectation) => {
    const result = await runScenario({ ...greeting, expect: [expectation] })
    expect(result.passed).toBe(false)
    expect(result.verdicts.filter(({ ok }) => !ok).map((verdict) => verdict.check)).toEqual([check])
    expect(formatScenario(result)).toContain(`FAIL  ${check}: `)
  })

  test('fails where its reply was meant for another model', async () => {
    const result = await runScenario({
      ...greeting,
      backend: { models: ['m1', 'm2'], replies: [{ text: 'x', model: 'm2' }] },
    })
    expect(result.verdicts.find(({ ok }) => !ok)?.check).toBe('replies were asked of their models')
  })

  test('may be told to run longer than anything is scheduled', async () => {
    const result = await runScenario({ ...greeting, untilMs: 90_000, expect: [{ state: 'idle', at: 80_000 }] })
    expect(result.passed).toBe(true)
  })

  test('has a program that types, announces and ends replies, and functions that the model calls', async () => {
    const result = await runScenario({
      name: 'a lamp is switched on by the one who types',
      tools: { lamp: { result: { on: true }, takesMs: 300 }, bell: { fails: true } },
      backend: {
        replies: [
          { toolCalls: [{ name: 'lamp', arguments: { room: 'hall' } }, { name: 'bell' }] },
          { text: 'It is on, but the bell is out of order.' },
        ],
      },
      timeline: [
        [0, 'CALLER_TYPED', 'light please'],
        [0, 'ANNOUNCEMENT_MADE', 'Dinner is ready.'],
        [1_500, 'REPLY_UNWANTED'],
        [5_000, 'CALLER_TYPED', ' '],
      ],
      expect: [
        { event: 'TOOL_CALLED', times: [110, 410] },
        { event: 'RESPONSE_INTERRUPTED', times: [1_500], with: { reason: 'requested', turnId: 'turn-1' } },
        { event: 'RESPONSE_FINISHED', with: { heard: 'Dinner is ready.' } },
        { event: 'CALLER_TURN_ENDED', count: 1 },
      ],
    })
    expect(result.passed, formatScenario(result)).toBe(true)
    expect(result.timeline).toContain(
      '  5000ms  program   refused: LlmError: the text is empty; give at least one word',
    )
  })

  test('gives the same trace twice, byte for byte', async () => {
    const files = readdirSync(given).filter((file) => file.endsWith('.json'))
    for (const file of files) {
      const scenario: unknown = JSON.parse(readFileSync(new URL(file, given), 'utf8'))
      const [first, second] = [await runScenario(scenario), await runScenario(scenario)]
      expect(JSON.stringify(second.trace), file).toBe(JSON.stringify(first.trace))
    }
  })

  test.each<[string, object]>([
    ['untilms: unknown key', { untilms: 5 }],
    ['name: Invalid input', { name: 5 }],
    ['backend.reply: unknown key', { backend: { reply: [] } }],
    ['backend.replies[0].firstToken: unknown key', { backend: { replies: [{ text: 'x', firstToken: 5 }] } }],
    ['backend.replies[0].fault.kind: Invalid', { backend: { replies: [{ fault: { kind: 'slow' } }] } }],
    ['backend.replies[0].fault.status: Invalid', { backend: { replies: [{ fault: { kind: 'http' } }] } }],
    ['options.endpointing.minDelay: unknown key', { options: { endpointing: { minDelay: 5 } } }],
    ['sink.acknowledges: Invalid option', { sink: { acknowledges: 'sometimes' } }],
    ['timeline[0][1]: Invalid option', { timeline: [[0, 'SPEECH_SHOUTED']] }],
    ['timeline[0][2]: SPEECH_PARTIAL needs a text', { timeline: [[0, 'SPEECH_PARTIAL']] }],
    ['timeline[0][2]: SPEECH_ENDED has no text', { timeline: [[0, 'SPEECH_ENDED', 'x']] }],
    ['timeline[0][2]: CALLER_TYPED needs a text', { timeline: [[0, 'CALLER_TYPED']] }],
    ['timeline[0][2]: REPLY_UNWANTED has no text', { timeline: [[0, 'REPLY_UNWANTED', 'x']] }],
    ['tools.lamp.resolt: unknown key', { tools: { lamp: { resolt: 1 } } }],
    [
      'timeline[1][0]: the timeline goes back in time',
      {
        timeline: [
          [9, 'SPEECH_STARTED'],
          [5, 'SPEECH_ENDED'],
        ],
      },
    ],
    ['expect[0]: no such check', { expect: [{ herd: 'x' }] }],
    ['expect[0].time: unknown key', { expect: [{ event: 'ERROR_OCCURRED', time: [5] }] }],
    ['expect[1].at: Invalid input', { expect: [{ final: 'idle' }, { state: 'idle' }] }],
    [
      'expect[0].history[0].content: unknown key',
      { expect: [{ history: [{ role: 'user', text: 'x', content: 'x' }] }] },
    ],
  ])('is refused with the path of the key: %s', async (message, mistake) => {
    await expect(runScenario({ ...greeting, ...mistake })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining(`scenario: ${message}`),
    })
  })

  test('that is no object is refused', async () => {
    await expect(runScenario('hello')).rejects.toMatchObject({ message: expect.stringContaining('the file: ') })
  })
})
