import { expect, test } from 'vitest'
import type { ModelInfo } from '../../src/backends/contract.ts'
import type { ConfigInput } from '../../src/config/config.ts'
import { settlingClock } from '../support/settling-clock.ts'
import { replies, type ReplyExtras } from '../support/run-reply.ts'
import { fault, say, scriptedBackend, type Step } from '../support/scripted-backend.ts'

const words = (count: number) => 'word '.repeat(count).trim()

function desk(
  scripts: Step[][],
  config: ConfigInput = {},
  more: ReplyExtras & { models?: (string | ModelInfo)[] } = {},
) {
  const clock = settlingClock()
  const { models = [{ name: 'm1', loaded: true, contextTokens: 512 }], ...rest } = more
  const backend = scriptedBackend(clock, scripts, { models })
  const { start, generation, history } = replies(clock, { systemPrompt: 'Be brief.', ...config }, backend, rest)
  return {
    clock,
    backend,
    history,
    close: () => generation.close(),
    /** One turn: asked, answered, remembered. */
    async turn(text: string, ms = 10) {
      const current = start({ text, replyId: `r${history.length}` })
      await clock.advance(ms)
      history.push({ role: 'user', content: text })
      const last = current.last()
      if (last?.type === 'REPLY_ENDED') history.push({ role: 'assistant', content: last.text })
      current.stop()
      return current
    },
    prompts: () => backend.requests.map(({ messages }) => messages.map(({ content }) => content)),
  }
}

test('the window is the one that the server allocated, and never varies', async () => {
  const { turn, backend, close } = desk([say('Yes.')])
  for (const text of ['a', 'b', 'c']) await turn(text)
  expect(new Set(backend.requests.map(({ contextTokens }) => contextTokens))).toEqual(new Set([512]))
  expect(backend.requests[0]?.maxTokens).toBe(256)
  close()
})

test('the prompt of a turn starts with the prompt of the one before, unless turns were evicted between', async () => {
  const { turn, backend, prompts, close } = desk([say(words(20))])
  let evictions = 0
  for (let n = 0; n < 30; n++) {
    const reply = await turn(`${n} ${words(10)}`)
    const [before, now] = prompts().slice(-2)
    if (!before || !now) continue
    expect(now[0]).toBe('Be brief.')
    expect(now.at(-1)).toBe(`${n} ${words(10)}`)
    if (before[1] === now[1]) expect(now.slice(0, before.length)).toEqual(before)
    else evictions++
    expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED' })
  }
  expect(evictions).toBeGreaterThan(1)
  expect(evictions).toBeLessThan(10)
  expect(backend.requests.length).toBeGreaterThanOrEqual(30)
  close()
})

test('what is true now stands in the newest words only', async () => {
  const { turn, prompts, close } = desk([say('Yes.')], {}, { facts: () => 'It is noon.' })
  await turn('a')
  await turn('b')
  expect(prompts().at(-1)).toEqual(['Be brief.', 'a', 'Yes.', 'b\n\n[It is noon.]'])
  close()
})

test('words that cannot fit are an error without a request', async () => {
  const { turn, backend, close } = desk([say('Yes.')])
  const reply = await turn(words(2_000))
  expect(reply.last()).toMatchObject({ type: 'REPLY_FAILED', error: { code: 'context-overflow' } })
  expect(backend.requests).toHaveLength(0)
  close()
})

test('11: a server that finds the prompt too long gets a shorter one, once', async () => {
  const tooLong = [fault('context-overflow', { status: 400 })]
  const { turn, history, prompts, close } = desk([tooLong, say('Now.'), tooLong, tooLong])
  for (let n = 0; n < 6; n++) history.push({ role: n % 2 ? 'assistant' : 'user', content: `${n} ${words(10)}` })
  const reply = await turn('and now?')
  expect(reply.last()).toMatchObject({ type: 'REPLY_ENDED', text: 'Now.' })
  const [long, short] = prompts()
  expect(short?.length).toBeLessThan(long?.length ?? 0)
  expect(short?.at(-1)).toBe('and now?')
  const again = await turn('and then?')
  expect(again.last()).toMatchObject({ type: 'REPLY_FAILED', error: { code: 'context-overflow' } })
  close()
})

test('46: a fallback with a smaller window gets a prompt of its own', async () => {
  const models = [
    { name: 'm1', loaded: true, contextTokens: 4_096 },
    { name: 'm2', loaded: true, contextTokens: 256 },
  ]
  const broken = [fault('protocol', { fault: 'no-end' })]
  const { turn, history, prompts, close } = desk(
    [broken, say('Small.')],
    { fallback: { models: ['m1', 'm2'] } },
    { models },
  )
  for (let n = 0; n < 10; n++) history.push({ role: n % 2 ? 'assistant' : 'user', content: `${n} ${words(30)}` })
  const reply = await turn('and now?')
  expect(reply.last()).toMatchObject({ model: 'm2', text: 'Small.' })
  expect(prompts().map(({ length }) => length)).toEqual([12, 2])
  close()
})

test('a long prompt on a slow machine gets three times what it should take', async () => {
  const slow: Step[] = [
    { type: 'delta', kind: 'text', text: 'Yes.' },
    { usage: { promptTokens: 35 }, promptMs: 3_500 },
  ]
  const stalls: Step[] = [{ type: 'connected' }, 'hang']
  const config = { fallback: { models: ['m1'] } }
  const { turn, backend, close } = desk([slow, stalls], config, { models: ['m1'] })
  await turn(words(20))
  const patient = await turn(words(100), 4_500)
  expect(patient.types()).toEqual([])
  const over = await turn(words(100), 200_000)
  expect(over.last()).toMatchObject({ type: 'REPLY_FAILED', error: { code: 'timeout' } })
  expect(backend.requests).toHaveLength(3)
  close()
})

test('a tokenizer that counts exactly is believed', async () => {
  const { turn, close } = desk([say('Yes.')], {}, { countTokens: () => 1_000 })
  const reply = await turn('short')
  expect(reply.last()).toMatchObject({ error: { code: 'context-overflow' } })
  close()
})
