import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { leastCostMs, slowness } from './cost.ts'
import { speakingPaths, textPaths, type TextPath } from './paths.ts'
import { anyText, pairs, texts, type Text } from './texts.ts'

/** The limit of a reply. */
const most = 8_000
const limitMs = 50
/** Below this a cost says nothing of how it grows. */
const measurableMs = 10

/**
 * Fails where a text of 8 000 characters costs 50 ms, or many times more than one of a quarter of it: four times is linear,
 * sixteen times a square.
 */
function expectLinear(path: TextPath, text: Text, name: string): void {
  const longest = text(most)
  const cost = leastCostMs(() => path(longest), measurableMs)
  if (cost < measurableMs) return
  expect(cost, `${name}: ms for ${most} characters`).toBeLessThan(limitMs * slowness())
  const quarter = text(most / 4)
  expect(cost / leastCostMs(() => path(quarter)), `${name}: growth for four times the text`).toBeLessThan(10)
}

/** What some texts of that length cost together. */
function costOfAll(path: TextPath, chars: number): number {
  const all = texts.filter((_, i) => i % 8 === 0).map(([, text]) => text(chars))
  return leastCostMs(() => {
    for (const text of all) path(text)
  })
}

describe.each(Object.entries(textPaths))('%s', (_name, path) => {
  it('costs what the text is long, whatever it is', { timeout: 180_000 }, () => {
    for (const [name, text] of texts) expectLinear(path, text, name)
    const costs = [1_000, 2_000, 4_000, 8_000].map((chars) => costOfAll(path, chars))
    for (const [i, cost] of costs.slice(1).entries()) {
      const before = costs[i] ?? 0
      if (before > 2) expect(cost / before, `growth by twice the text, in ${costs.join(', ')} ms`).toBeLessThan(3)
    }
  })
})

describe.each(Object.entries(speakingPaths).filter(([name]) => /^(?:segments|sentences|speakable$|heard$)/.test(name)))(
  '%s',
  (_name, path) => {
    it('is no slower for two constructs in turn, or one after the other', { timeout: 180_000 }, () => {
      for (const [name, text] of pairs) expectLinear(path, text, name)
    })

    it('is no slower for any other mixture', { timeout: 180_000 }, () => {
      fc.assert(
        fc.property(anyText, (text) => {
          expectLinear(path, text, JSON.stringify(text(60)))
        }),
        { numRuns: 40 },
      )
    })
  },
)
