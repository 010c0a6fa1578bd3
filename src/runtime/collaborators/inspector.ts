import type { InspectionEvent, Observer } from 'xstate'
import { demand, hasMethods } from './check.ts'
import { isolate } from './isolate.ts'
import type { Report } from './report.ts'

/** Watches every actor. What it returns is ignored. */
export type Inspect = Partial<Observer<InspectionEvent>> | ((event: InspectionEvent) => unknown)

/** An inspector that fails is left out from then on: XState would stop the mailbox in which it threw. */
export function guardInspector(inspect: Inspect, report: Report): (event: InspectionEvent) => void {
  const isInspector = typeof inspect === 'function' || hasMethods(inspect, 'next')
  demand(isInspector, 'inspect must be a function, or an observer with the method next')
  let isBroken = false
  const attempt = isolate((_, thrown) => {
    isBroken = true
    report('the inspector failed and is left out from now on', thrown)
  })
  return (event) => {
    if (!isBroken) attempt('next', () => (typeof inspect === 'function' ? inspect(event) : inspect.next?.(event)))
  }
}
