import type { Observable } from 'rxjs'
import type { Delta, TurnOutcome } from '../index.ts'
import type { Printer } from './terminal.ts'

export interface PrintedReply {
  /** Ends the line of the reply that is over. */
  end(outcome: TurnOutcome): void
}

/**
 * Prints a reply as it is generated. To a terminal the deltas go as they come, and one line says so when a failed
 * attempt is given up and another model begins anew. Elsewhere the reply is printed whole, on one line: what another
 * program reads must not hold what was taken back.
 */
export function streamReply(deltas: Observable<Delta>, output: Printer): PrintedReply {
  if (output.isTTY !== true) {
    return {
      end: ({ text }) => {
        if (text !== '') output.write(`${text.trim().replaceAll(/(?<!\s)\s*\n\s*/g, ' ')}\n`)
      },
    }
  }
  let attempt = 0
  let isMidLine = false
  const subscription = deltas.subscribe((delta) => {
    if (delta.kind !== 'text') return
    if (attempt !== 0 && delta.attempt > attempt && isMidLine) output.write('\n(that attempt failed; once more)\n')
    attempt = delta.attempt
    output.write(delta.text)
    isMidLine = true
  })
  return {
    end({ ending, text }) {
      subscription.unsubscribe()
      // words that were never deltas, from the cache
      if (!isMidLine) output.write(text)
      if (ending === 'interrupted') output.write(' …')
      if (isMidLine || text !== '') output.write('\n')
    },
  }
}
