import { demand } from './check.ts'
import { createOutages } from './isolate.ts'
import type { Report } from './report.ts'
import { disown } from './thenable.ts'

/** Stands in for what is no number from 0 to 1. */
const middle = 0.5

export function guardRandom(random: () => number, report: Report): () => number {
  demand(typeof random === 'function', 'random must be a function that returns a number from 0 to 1')
  const outages = createOutages((_, thrown) => report(`random failed; ${middle} is taken`, thrown))
  return () => {
    try {
      const given: unknown = random()
      disown(given)
      if (typeof given !== 'number' || !(given >= 0 && given <= 1)) {
        throw new TypeError('it gave something else than a number from 0 to 1')
      }
      outages.over('')
      return given
    } catch (thrown) {
      outages.begin('', thrown)
      return middle
    }
  }
}
