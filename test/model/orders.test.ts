import { describe, expect, test } from 'vitest'
import { formatScenario, runScenario, type ScenarioInput } from '../../src/testing/index.ts'

/**
 * Every order of SPEECH_STARTED (S), SPEECH_PARTIAL (P), SPEECH_DETECTED (D) and SPEECH_ENDED (E) for one utterance in
 * which S comes before E, with and without P and with and without the voice events.
 */
const orders = [
  ['S', 'E'],
  ['P'],
  ['D'],
  ['P', 'D'],
  ['D', 'P'],
  ['S', 'E', 'P'],
  ['S', 'P', 'E'],
  ['P', 'S', 'E'],
  ['S', 'E', 'D'],
  ['S', 'D', 'E'],
  ['D', 'S', 'E'],
  ['S', 'P', 'D', 'E'],
  ['S', 'P', 'E', 'D'],
  ['S', 'D', 'P', 'E'],
  ['S', 'D', 'E', 'P'],
  ['S', 'E', 'P', 'D'],
  ['S', 'E', 'D', 'P'],
  ['P', 'S', 'D', 'E'],
  ['P', 'S', 'E', 'D'],
  ['P', 'D', 'S', 'E'],
  ['D', 'S', 'P', 'E'],
  ['D', 'S', 'E', 'P'],
  ['D', 'P', 'S', 'E'],
] as const

const spacings = [0, 10, 600]
const partials = ['what time is it', 'what time']
const speculations = [false, true]

type Letter = (typeof orders)[number][number]
type Timeline = NonNullable<ScenarioInput['timeline']>

function timelineOf(order: readonly Letter[], spacingMs: number, partial: string): Timeline {
  return order.map((letter, index): Timeline[number] => {
    const atMs = index * spacingMs
    if (letter === 'S') return [atMs, 'SPEECH_STARTED']
    if (letter === 'E') return [atMs, 'SPEECH_ENDED']
    return letter === 'P' ? [atMs, 'SPEECH_PARTIAL', partial] : [atMs, 'SPEECH_DETECTED', 'What time is it?']
  })
}

describe('one utterance, whatever the order of its events', () => {
  test('the list of orders is complete', () => {
    expect(new Set(orders.map((order) => order.join('')))).toEqual(new Set(allOrders()))
  })

  describe.each(orders.map((order) => ({ name: order.join(' '), order })))('$name', ({ order }) => {
    const turns = order.some((letter) => letter === 'P' || letter === 'D') ? 1 : 0

    test.each(spacings)(`${turns === 1 ? 'is exactly one turn' : 'is no turn'}, spaced %i ms`, async (spacingMs) => {
      for (const partial of partials) {
        const text = order.some((letter) => letter === 'D') ? 'What time is it?' : partial
        for (const enabled of speculations) {
          const result = await runScenario({
            name: `${order.join(' ')} each ${spacingMs} ms, partial "${partial}", speculation ${enabled}`,
            options: { speculation: { enabled } },
            backend: { replies: [{ text: 'It is noon by the clock in the hall.' }] },
            timeline: timelineOf(order, spacingMs, partial),
            expect: [
              { event: 'CALLER_TURN_ENDED', count: turns, ...(turns === 1 ? { with: { text } } : {}) },
              { event: 'RESPONSE_GENERATING', count: turns },
              { event: 'RESPONSE_FINISHED', count: turns },
              { event: 'RESPONSE_INTERRUPTED', count: 0 },
              { final: 'idle' },
            ],
          })
          expect(result.passed, formatScenario(result)).toBe(true)
        }
      }
    })
  })
})

/** The same list, made and not written: S and E both or neither, P or not, D or not, S before E. */
function allOrders(): string[] {
  const orderings = (letters: readonly string[]): string[] =>
    letters.length === 0
      ? ['']
      : letters.flatMap((first) => orderings(letters.filter((letter) => letter !== first)).map((rest) => first + rest))
  const sets = [['S', 'E'], []].flatMap((voice) =>
    [['P'], []].flatMap((p) => [['D'], []].map((d) => [...voice, ...p, ...d])),
  )
  return sets.flatMap(orderings).filter((order) => order !== '' && order.indexOf('S') <= order.indexOf('E'))
}
