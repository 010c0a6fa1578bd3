import type { ConversationPolicy } from '../../machines/conversation/policy.ts'
import { backchannelsOf, stopWordsOf } from '../../machines/phrases.ts'
import type { Settings } from '../config/config.ts'

/** What of the settings the conversation chart decides by. */
export function policyOf(
  settings: Settings,
  given: { asksDetector: boolean; keepsTurns: boolean },
): ConversationPolicy {
  const { minDelayMs, maxDelayMs, noVadDelayMs, maxOpenMs, threshold } = settings.endpointing
  const { enabled, minDurationMs, minWords, falseAfterMs, backchannels, stopWords } = settings.interruption
  return {
    endpointing: { minDelayMs, maxDelayMs, noVadDelayMs, maxOpenMs, threshold, asksDetector: given.asksDetector },
    // `auto` is tried like `true`: a speculation that finds no spare slot gives itself up unheard.
    speculation: {
      enabled: settings.speculation.enabled !== false,
      stableMs: settings.speculation.stableMs,
      maxAttempts: settings.speculation.maxAttempts,
    },
    interruption: {
      enabled,
      minDurationMs,
      minWords,
      falseAfterMs,
      backchannels: backchannels ?? backchannelsOf(settings.language),
      stopWords: stopWords ?? stopWordsOf(settings.language),
    },
    assistantNames: settings.assistantNames,
    errorResetMs: settings.error.resetMs,
    store: { keepsTurns: given.keepsTurns, commitMs: settings.timeouts.storeCommitMs },
  }
}
