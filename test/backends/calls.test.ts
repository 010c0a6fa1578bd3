import { describe, expect, test } from 'vitest'
import { readBody, type BodyKind } from './bodies.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const chunk = (call: object) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { tool_calls: [call] } }] })}\n\n`
const record = (call: object) => `${JSON.stringify({ message: { tool_calls: [{ function: call }] }, done: false })}\n`

describe('a model that writes calls without end', () => {
  test.each<[string, BodyKind, (at: number) => string]>([
    ['arguments', 'sse', () => chunk({ index: 0, function: { name: 'book', arguments: 'a'.repeat(200) } })],
    ['calls', 'sse', () => chunk({ function: {} })],
    ['names', 'sse', (at) => chunk({ index: at % 100, function: { name: 'n'.repeat(200) } })],
    ['calls', 'ndjson', () => record({ name: '' })],
    ['calls with arguments', 'ndjson', () => record({ name: 'book', arguments: { city: 'a'.repeat(200) } })],
  ])('%s (%s): given up at the line limit, so that memory is bounded', async (_, kind, piece) => {
    const lineBytes = 8_192
    let taken = 0
    function* endless() {
      // Without a bound the test ends all the same, and fails.
      for (; taken < 2_000; taken++) yield bytes(piece(taken))
    }
    const { error } = await readBody(kind, { [Symbol.iterator]: endless }, lineBytes)
    expect(error).toMatchObject({ code: 'protocol', fault: 'line-too-long' })
    expect(taken).toBeLessThan(lineBytes / 100)
  })
})
