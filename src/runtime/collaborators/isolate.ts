import { isThenable } from './thenable.ts'

/** Runs a method of a collaborator. False: it threw. What it rejects with comes later. */
export type Isolated = (method: string, run: () => unknown) => boolean

/**
 * Calls a collaborator so that nothing it does or gives back ends anything: what it throws, and what a promise that it
 * returns rejects with, is a failure of the method and goes no further.
 */
export function isolate(failed: (method: string, thrown: unknown) => void): Isolated {
  const outages = createOutages(failed)
  return (method, run) => {
    const worked = () => outages.over(method)
    const broke = (thrown: unknown) => outages.begin(method, thrown)
    try {
      const given = run()
      if (isThenable(given)) Promise.resolve(given).then(worked, broke)
      else worked()
      return true
    } catch (thrown) {
      broke(thrown)
      return false
    }
  }
}

/** What is out of order. */
export interface Outages {
  begin(method: string, thrown: unknown): void
  /** It works again. */
  over(method: string): void
}

/** Tells each outage once: a sink without a device fails at every segment, a full disk at every line of the log. */
export function createOutages(tell: (method: string, thrown: unknown) => void): Outages {
  const broken = new Set<string>()
  return {
    begin(method, thrown) {
      if (broken.has(method)) return
      broken.add(method)
      tell(method, thrown)
    },
    over: (method) => void broken.delete(method),
  }
}
