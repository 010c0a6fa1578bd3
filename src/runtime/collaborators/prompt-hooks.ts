/* Hooks that are asked while a prompt is made. */
import type { Clock } from '../../../machines/vocabulary.ts'
import type { CountTokens, Facts } from '../../generation/index.ts'
import { demand } from './check.ts'
import { inTime } from './in-time.ts'
import { createOutages } from './isolate.ts'
import type { Report } from './report.ts'

/**
 * What is true now: the time, who is at home. Written into the newest user message of a prompt and nowhere else, so that
 * the prefix which the server has cached stays valid; it is not remembered. Asked once a reply, which waits 500 ms for a
 * promise. Facts that fail, come later, or are longer than 20 000 characters are left out of that reply.
 */
export type ContextFacts = (asked: { conversationId: string }) => string | Promise<string>

const hookMs = 500
const longestFacts = 20_000

/** Never rejects: the reply goes without. */
export function guardFacts(facts: ContextFacts, clock: Clock, report: Report): Facts {
  demand(typeof facts === 'function', 'context.facts must be a function that returns a text')
  const outages = createOutages((_, thrown) => report('context.facts failed; this prompt goes without', thrown))
  return async (asked, signal) => {
    try {
      const told = await inTime({ clock, ms: hookMs, signal }, () => facts(asked))
      const text = told ?? ''
      if (typeof text !== 'string') throw new TypeError('it gave something else than a text')
      if (text.length > longestFacts) throw new RangeError(`it gave more than ${longestFacts} characters`)
      outages.over('')
      return text
    } catch (thrown) {
      if (!signal.aborted) outages.begin('', thrown)
      return ''
    }
  }
}

/** Rejects where there is no count: the estimate stands in. */
export function guardCountTokens(count: CountTokens, clock: Clock, report: Report): CountTokens {
  demand(typeof count === 'function', 'countTokens must be a function (model, text) => number')
  const outages = createOutages((_, thrown) => report('countTokens failed; tokens are estimated', thrown))
  return async (model, text, signal) => {
    try {
      const tokens = await inTime({ clock, ms: hookMs, signal }, () => count(model, text, signal))
      if (typeof tokens !== 'number' || !(tokens >= 0 && tokens < Infinity)) {
        throw new TypeError('it gave something else than a number from 0')
      }
      outages.over('')
      return tokens
    } catch (thrown) {
      if (!signal.aborted) outages.begin('', thrown)
      throw thrown
    }
  }
}
