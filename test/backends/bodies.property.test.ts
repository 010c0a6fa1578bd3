import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LlmError } from '../../src/backends/contract.ts'
import { recordsOf } from '../../src/testing/loopback/records.ts'
import { cutAt, readBody, wire, type BodyKind } from './bodies.ts'

/** 100 000 for the long run: `COLLOQUY_FUZZ_RUNS=100000 npx vitest run test/backends/bodies.property.test.ts`. */
const fuzzRuns = Number(process.env['COLLOQUY_FUZZ_RUNS'] ?? 2_000)
const longRun = { timeout: 20_000 + fuzzRuns * 10 }

const fixtures: [string, BodyKind][] = [
  ['ollama-chat.ndjson', 'ndjson'],
  ['llama-cpp.sse', 'sse'],
  ['vllm.sse', 'sse'],
]
const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 40 })
const dialectOf = { ndjson: 'ollama-chat', sse: 'openai' } as const
const kinds = ['ndjson', 'sse'] as const

describe('29: a body split anywhere gives the same deltas', () => {
  test.each(fixtures)('%s', async (name, kind) => {
    const bytes = wire(name)
    const whole = await readBody(kind, [bytes])
    expect(whole.deltas.filter((delta) => delta.startsWith('text:')).join('')).toBe('text:Grüßetext: aus 東京 👩‍🚀.')
    expect(whole.end).toMatchObject({ finishReason: 'stop', usage: { promptTokens: 31, replyTokens: 9 } })
    expect(
      await readBody(
        kind,
        [...bytes].map((byte) => Uint8Array.of(byte)),
      ),
    ).toEqual(whole)
    await fc.assert(
      fc.asyncProperty(places, async (parts) => {
        expect(await readBody(kind, cutAt(bytes, parts))).toEqual(whole)
      }),
      { numRuns: 300 },
    )
  })

  test.each(kinds)('%s: any text, with CRLF and comments between', async (kind) => {
    const texts = fc.array(fc.string({ unit: 'binary', minLength: 1 }), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(texts, places, fc.boolean(), async (deltas, parts, crlf) => {
        const records = recordsOf(dialectOf[kind], { deltas }, 'm1')
        const lines = [...records.head, records.keepAlive, ...records.deltas, records.keepAlive, ...records.tail].join(
          '',
        )
        const bytes = Buffer.from(crlf ? lines.replaceAll('\n', '\r\n') : lines)
        const { deltas: told, end } = await readBody(kind, cutAt(bytes, parts))
        // what no UTF-8 can say, JSON says as an escape: lone surrogates survive
        expect(told).toEqual(deltas.map((text) => `text:${text}`))
        expect(end?.finishReason).toBe('stop')
      }),
      { numRuns: 300 },
    )
  })
})

describe('fuzz: no crash, bounded memory, a typed error or a correct text', () => {
  const lineBytes = 2_048

  /** A broken body may tell what a sound one would have told, up to some point, and nothing else. */
  async function check(kind: BodyKind, pieces: readonly Uint8Array[], contentType?: string) {
    const { error, end } = await readBody(kind, pieces, lineBytes, contentType)
    if (end === undefined) {
      expect(error).toBeInstanceOf(LlmError)
      if (error instanceof LlmError) expect(['protocol', 'http']).toContain(error.code)
    }
  }

  test.each(kinds)('%s: random bytes', longRun, async (kind) => {
    const types = fc.constantFrom(undefined, 'application/json', '')
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 12 }), types, (pieces, type) =>
        check(kind, pieces, type),
      ),
      { numRuns: fuzzRuns },
    )
  })

  test.each(kinds)('%s: sound bodies with bytes changed, lost, doubled', longRun, async (kind) => {
    const bytes = Buffer.from(wire(kind === 'sse' ? 'llama-cpp.sse' : 'ollama-chat.ndjson'))
    const at = fc.nat({ max: bytes.length - 1 })
    const change = fc.record({
      at,
      how: fc.constantFrom('flip', 'drop', 'double', 'cut'),
      byte: fc.nat({ max: 255 }),
      length: fc.nat({ max: 60 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), places, async (changes, parts) => {
        let broken = Buffer.from(bytes)
        for (const { at: place, how, byte, length } of changes) {
          const head = broken.subarray(0, place)
          const tail = broken.subarray(place)
          if (how === 'flip') broken = Buffer.concat([head, Uint8Array.of(byte), tail.subarray(1)])
          if (how === 'drop') broken = Buffer.concat([head, tail.subarray(length)])
          if (how === 'double') broken = Buffer.concat([head, tail.subarray(0, length), tail])
          if (how === 'cut') broken = Buffer.from(head)
        }
        await check(kind, cutAt(broken, parts))
      }),
      { numRuns: fuzzRuns },
    )
  })

  test.each(kinds)('%s: a line without end is given up at the limit, however it comes', async (kind) => {
    const piece = Buffer.from('data: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx')
    let taken = 0
    function* flood() {
      for (; taken < 1_000_000; taken += piece.length) yield piece
    }
    const { error } = await readBody(kind, { [Symbol.iterator]: flood }, lineBytes)
    expect(error).toMatchObject({ fault: 'line-too-long' })
    expect(taken).toBeLessThan(lineBytes * 2)
  })

  test('sse: an event of many short lines is given up at the limit too', async () => {
    const { error } = await readBody(
      'sse',
      Array.from({ length: 1_000 }, () => Buffer.from('data: 1234\n')),
      lineBytes,
    )
    expect(error).toMatchObject({ fault: 'line-too-long' })
  })
})

test('an error that Ollama swallows in its OpenAI form is an end without its record', async () => {
  const { error, deltas } = await readBody('sse', [wire('ollama-swallowed-error.sse')])
  expect(error).toMatchObject({ code: 'protocol', fault: 'no-end' })
  expect(deltas).toEqual(['text:Grüße'])
})

test('a finish reason is an end, also without [DONE] and with a cut after it', async () => {
  const text = Buffer.from(wire('llama-cpp.sse')).toString()
  const until = text.indexOf('data: {"choices":[],')
  expect((await readBody('sse', [Buffer.from(text.slice(0, until + 30))])).end).toMatchObject({ finishReason: 'stop' })
})

test('llama.cpp writes errors as a field of their own', async () => {
  const { error } = await readBody('sse', [Buffer.from('error: {"code":500,"message":"out of memory"}\n\n')])
  expect(error).toMatchObject({ code: 'http', fault: 'error-record' })
})
