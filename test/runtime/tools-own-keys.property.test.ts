import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createLlmService, defineTool } from '../../src/index.ts'
import { JsonValue } from '../../src/persistence/json-value.ts'
import { readStoredConversation } from '../../src/persistence/record.ts'
import { loopbackServer, type LoopbackServer } from '../../src/testing/loopback-server.ts'
import { scriptedStore } from '../../src/testing/scripted-store.ts'

const servers: LoopbackServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

/** The names that objects have by themselves, beside one that they have not. */
const names = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '__defineGetter__',
  'a',
]
const { value: json } = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(null, true, 3, 0.5, '', 'text'),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc
    .uniqueArray(fc.tuple(fc.constantFrom(...names), tie('value')), { selector: ([name]) => name, maxLength: 4 })
    .map((entries) => Object.fromEntries(entries)),
}))
const objects = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...names), json), { selector: ([name]) => name, minLength: 1, maxLength: 5 })
  .map((entries): Record<string, unknown> => Object.fromEntries(entries))

/** Own keys in their order; `toEqual` knows nothing of `__proto__`. */
const written = (value: unknown): string => JSON.stringify(value)

const Asked = z.object({
  messages: z.array(
    z.looseObject({ tool_calls: z.array(z.object({ function: z.object({ arguments: z.unknown() }) })).optional() }),
  ),
})

describe('what a model gives to a function', () => {
  it.each(['ollama', 'openai'] as const)('82: reads back equal from prompt, history and store (%s)', async (serves) => {
    await fc.assert(
      fc.asyncProperty(objects, async (given) => {
        const server = await loopbackServer({
          serves,
          replies: [{ toolCalls: [{ name: 'look', arguments: given }] }, { text: 'Yes.' }],
        })
        servers.push(server)
        const store = scriptedStore()
        const polluted: unknown[] = []
        const look = defineTool({
          description: 'Looks.',
          parameters: z.looseObject({}),
          run(args) {
            polluted.push(Object.getPrototypeOf(args) === Object.prototype)
            return 'seen'
          },
        })
        const make = () => createLlmService({ baseUrl: server.url, defaultModel: 'm1', tools: { look }, store })
        const service = make()
        const told: unknown[] = []
        service.events.subscribe((event) => event.type === 'TOOL_CALLED' && told.push(event.arguments))
        const conversation = service.conversation('a')
        expect(await conversation.ask('hello')).toMatchObject({ ending: 'finished' })
        const remembered = conversation.history.flatMap(({ call }) => (call === undefined ? [] : [call.arguments]))
        await service.close()

        const kept = readStoredConversation('a', store.kept.get('a') ?? { snapshot: '', lines: [] })
        const read = kept.ok
          ? kept.remembered.history.flatMap(({ call }) => (call === undefined ? [] : [call.arguments]))
          : []
        expect([told, remembered, read].map(written)).toEqual(Array.from({ length: 3 }, () => written([given])))
        const asked = server.requests
          .slice(1)
          .map(({ body }) =>
            Asked.parse(body).messages.flatMap(({ tool_calls: calls = [] }) =>
              calls.map((call) => call.function.arguments),
            ),
          )
        expect(asked.flat().map((sent) => (typeof sent === 'string' ? sent : written(sent)))).toEqual([written(given)])
        expect(polluted).toEqual([true])
        expect(Object.keys(Object.prototype)).toEqual([])
        await server.close()
      }),
      { numRuns: 12, examples: [[JSON.parse('{"__proto__":{"isAdmin":true},"a":{"__proto__":null}}')]] },
    )
  })
})

describe('a value that JSON can hold', () => {
  it('is equal after it was read, and is another', () => {
    fc.assert(
      fc.property(json, (value) => {
        const read = JsonValue.parse(value)
        expect(written(read)).toBe(written(value))
        if (typeof value === 'object' && value !== null) expect(read).not.toBe(value)
      }),
    )
  })

  it('may be nested as deep as a call can be long', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(4_000)}${']'.repeat(4_000)}`)
    expect(written(JsonValue.parse(deep))).toBe(written(deep))
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a function', () => 1],
    ['no number', Number.NaN],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['something in the middle', { a: [1, { b: undefined }] }],
  ])('is not %s', (_, value) => {
    expect(JsonValue.safeParse(value).success).toBe(false)
  })

  it('is no cycle', () => {
    const cycle: unknown[] = []
    cycle.push({ cycle })
    expect(JsonValue.safeParse(cycle).success).toBe(false)
  })
})
