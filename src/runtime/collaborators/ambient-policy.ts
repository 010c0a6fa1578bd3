import type { AmbientVerdict } from '../../../machines/conversation/events.ts'
import type { Clock } from '../../../machines/vocabulary.ts'
import type { AmbientPolicy } from '../../listening/ambient-policy.ts'
import { demand } from './check.ts'
import { inTime } from './in-time.ts'
import type { Report } from './report.ts'

const policyMs = 500

/** A policy that fails, gives no verdict, or gives none in time: the speech is ignored. An answer at once stays one. */
export function guardAmbientPolicy(policy: AmbientPolicy, clock: Clock, report: Report): AmbientPolicy {
  demand(typeof policy === 'function', 'ambient.policy must be wake, ignore, context or a function')
  return (utterance, context, signal) => {
    const ignored = (thrown: unknown): AmbientVerdict => {
      const { conversationId } = context
      if (!signal.aborted) report('the ambient policy failed; the speech is ignored', thrown, { conversationId })
      return 'ignore'
    }
    try {
      const verdict = inTime({ clock, ms: policyMs, signal }, (own) => policy(utterance, context, own))
      return verdict instanceof Promise ? verdict.then(checked).catch(ignored) : checked(verdict)
    } catch (thrown) {
      return ignored(thrown)
    }
  }
}

function checked(verdict: unknown): AmbientVerdict {
  if (verdict === 'answer' || verdict === 'ignore' || verdict === 'context') return verdict
  throw new TypeError('it gave something else than answer, ignore or context')
}
