import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ChatMessage } from '../../src/backends/contract.ts'
import { fitHistory, makeRoom, type WindowLimits } from '../../src/generation/context-window.ts'
import { createCalibration, estimateMessage, estimateTokens } from '../../src/generation/token-estimate.ts'

const limits: WindowLimits = { budget: 1_000, highWater: 0.92, lowWater: 0.6 }
const systemTokens = 50
const text = (max: number) => fc.integer({ min: 1, max }).map((length) => 'word '.repeat(length).trim())
/** A turn: the caller's words, perhaps a call of a tool with its result, perhaps a reply. */
const turn = fc
  .record({ words: text(150), tool: fc.boolean(), reply: fc.option(text(150)) })
  .map(({ words, tool, reply }): ChatMessage[] => [
    { role: 'user', content: words },
    ...(tool
      ? [
          { role: 'assistant' as const, content: '', toolCalls: [{ id: 'c', name: 'clock', arguments: {} }] },
          { role: 'tool' as const, content: 'noon', toolCallId: 'c' },
        ]
      : []),
    ...(reply === null ? [] : [{ role: 'assistant' as const, content: reply }]),
  ])
const tokens = (messages: readonly ChatMessage[]) => messages.reduce((sum, one) => sum + estimateMessage(one), 0)

test('over any history: within budget, newest words kept, pairs whole, prefix stable unless turns were evicted', () => {
  fc.assert(
    fc.property(fc.array(turn, { minLength: 1, maxLength: 40 }), fc.boolean(), (turns, greets) => {
      const history: ChatMessage[] = greets ? [{ role: 'assistant', content: 'Good morning.' }] : []
      let from = 0
      let before: ChatMessage[] = []
      let evictions = 0
      for (const [words, ...rest] of turns) {
        if (!words) continue
        history.push(words)
        const kept = fitHistory(history, systemTokens, from, estimateMessage, limits)
        const prompt = history.slice(kept.from)
        expect(systemTokens + tokens(prompt)).toBeLessThanOrEqual(limits.budget)
        expect(kept.tokens).toBeCloseTo(systemTokens + tokens(prompt))
        expect(prompt.at(-1)).toBe(words)
        if (kept.from > 0) expect(prompt[0]?.role).toBe('user')
        if (kept.from === from && evictions === 0) expect(prompt.slice(0, before.length)).toEqual(before)
        history.push(...rest)
        const room = makeRoom(
          history,
          { from: kept.from, tokens: systemTokens + tokens(history.slice(kept.from)) },
          estimateMessage,
          limits,
        )
        evictions = room.from === kept.from ? 0 : 1
        if (evictions > 0 && room.from < history.findLastIndex(({ role }) => role === 'user')) {
          expect(room.tokens).toBeLessThanOrEqual(limits.lowWater * limits.budget)
        }
        before = prompt
        from = room.from
      }
    }),
    { numRuns: 500 },
  )
})

test('nothing is evicted while the prompt fits', () => {
  const history: ChatMessage[] = [
    { role: 'user', content: 'word '.repeat(100) },
    { role: 'assistant', content: 'word '.repeat(100) },
    { role: 'user', content: 'again' },
  ]
  expect(fitHistory(history, 50, 0, estimateMessage, limits).from).toBe(0)
})

test('words that alone cannot fit are a clear error', () => {
  const history: ChatMessage[] = [{ role: 'user', content: 'word '.repeat(2_000) }]
  expect(() => fitHistory(history, 50, 0, estimateMessage, limits)).toThrow(/do not fit/)
})

test('four Latin characters are a token, and other scripts need more', () => {
  expect(estimateTokens('abcdefgh')).toBe(2)
  expect(estimateTokens('नमस्ते')).toBeGreaterThan(4)
  expect(estimateTokens('こんにちは')).toBeGreaterThan(3)
})

test('the counts of the server set the estimate right, and the margin follows the error', () => {
  const calibration = createCalibration()
  expect(calibration.margin).toBe(0.15)
  for (let n = 0; n < 12; n++) calibration.learn(100, 140)
  expect(calibration.tokens(100)).toBe(140)
  expect(calibration.margin).toBeCloseTo(0.03)
})

test('a count that leaves out what was cached teaches nothing', () => {
  const calibration = createCalibration()
  calibration.learn(100, 30)
  calibration.learn(100, undefined)
  expect(calibration.tokens(100)).toBe(100)
})
