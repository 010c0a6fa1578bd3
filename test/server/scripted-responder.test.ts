import { describe, expect, test } from 'vitest'
import { createLlmService } from '../../src/index.ts'
import { calculate } from '../../src/server/calculate.ts'
import { scriptedAnswer } from '../../src/server/scripted-answers.ts'
import { scriptedResponder } from '../../src/server/scripted-responder.ts'

const now = { time: '14:05', day: 'Monday 3 March' }
const ask = (...said: string[]) =>
  scriptedAnswer(
    said.map((content) => ({ role: 'user', content })),
    now,
  )

describe('the scripted responder', () => {
  test.each([
    ['Hello!', /^Hello! .*not a language model/],
    ['What time is it?', /14:05/],
    ['What day is it today?', /Monday 3 March/],
    ['what is 12 times 7', /84/],
    ['Who are you?', /not a language model/],
    ['What is the meaning of life?', /beyond me.*not a language model/],
    ['What is my name?', /not told me/],
    ['thank you', /welcome/],
  ])('%s', (said, wanted) => {
    expect(ask(said)).toMatch(wanted)
  })

  test('a name that was told is remembered', () => {
    expect(ask('My name is Ada.')).toMatch(/Ada/)
    expect(ask('My name is Ada.', 'what is my name?')).toBe('Your name is Ada.')
    expect(ask('call me Zoë', 'no, my name is José', 'hi')).toMatch(/^Hello, José!/)
  })

  test.each([
    ['2+2', 'That is 4.'],
    ['What is 2 + 3 * 4?', 'That is 14.'],
    ['(2 + 3) * 4', 'That is 20.'],
    ['ten divided by four', 'That is 2.5.'],
    ['1,000 minus 1', 'That is 999.'],
    ['7 × 8', 'That is 56.'],
    ['-3 - -4', 'That is 1.'],
    ['0.1 + 0.2', 'That is 0.3.'],
    ['five over zero', 'That cannot be divided by zero.'],
  ])('%s', (said, wanted) => {
    expect(calculate(said)).toBe(wanted)
  })

  test.each(['hello', 'call 911', 'in 2024', 'the over-45s', '3 + ', 'x', '12'])('%s is no sum', (said) => {
    expect(calculate(said)).toBeUndefined()
  })

  test('it is a backend like any other: it streams, and an abort ends it at once', async () => {
    const service = createLlmService({ backend: scriptedResponder({ perWordMs: 0, moment: () => now }) })
    expect(await service.chat('What time is it?')).toBe('It is 14:05.')
    const outcome = await service.conversation().ask('My name is Ada')
    expect(outcome).toMatchObject({ ending: 'finished', backend: 'scripted', model: 'scripted-responder' })
    expect((await service.conversation().ask('What is my name?')).heard).toBe('Your name is Ada.')
    const abort = new AbortController()
    const reply = service.generate('Hello', { signal: abort.signal })
    abort.abort()
    expect(await reply.result).toMatchObject({ ok: false })
    await service.close()
  })
})
