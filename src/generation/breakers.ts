import { createActor, type ActorRefFrom, type InspectionEvent } from 'xstate'
import { breakerMachine } from '../../machines/breaker.ts'
import type { AttemptFailure } from '../../machines/reply/policy.ts'
import type { Clock } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import type { Settings } from '../config/config.ts'

/** Leave to try a model; tell how it went, once. */
export interface BreakerPass {
  succeeded(): void
  failed(failure: AttemptFailure): void
  /** Neither: it was aborted. */
  abandoned(): void
}

/** The breakers of all models, shared by all conversations. */
export interface Breakers {
  /** Throws `overloaded` while the breaker of this model is open. */
  ask(origin: string, model: string): BreakerPass
  /** A time-out of ours ended a request from outside. */
  blame(origin: string, model: string): void
  close(): void
}

export function createBreakers(options: {
  settings: Settings
  clock: Clock
  inspect?: (event: InspectionEvent) => void
}): Breakers {
  const { settings, clock, inspect } = options
  const actors = new Map<string, ActorRefFrom<typeof breakerMachine>>()

  function breakerOf(key: string): ActorRefFrom<typeof breakerMachine> {
    const known = actors.get(key)
    if (known) return known
    const actor = createActor(breakerMachine, {
      input: settings.breaker,
      id: `breaker ${key}`,
      ...(inspect === undefined ? {} : { inspect }),
    }).start()
    actors.set(key, actor)
    return actor
  }

  return {
    ask(origin, model) {
      const breaker = breakerOf(`${origin} ${model}`)
      const before = breaker.getSnapshot()
      breaker.send({ type: 'PERMISSION_ASKED', atMs: clock.now() })
      // Whoever finds it open and gets it to probe is the probe; all others wait for what becomes of that.
      const isProbe = before.matches('open') && breaker.getSnapshot().matches('probing')
      if (!before.matches('closed') && !isProbe) throw leftAlone(model)
      let told = false
      const tell = (run: () => void) => {
        if (told) return
        told = true
        run()
      }
      return {
        succeeded: () => tell(() => breaker.send({ type: 'REQUEST_SUCCEEDED' })),
        failed: (failure) =>
          tell(() => {
            if (isFaultOfModel(failure)) breaker.send({ type: 'REQUEST_FAILED', atMs: clock.now() })
            else if (isProbe) breaker.send({ type: 'REQUEST_ABANDONED' })
          }),
        abandoned: () =>
          tell(() => {
            if (isProbe) breaker.send({ type: 'REQUEST_ABANDONED' })
          }),
      }
    },
    blame(origin, model) {
      breakerOf(`${origin} ${model}`).send({ type: 'REQUEST_FAILED', atMs: clock.now() })
    },
    close() {
      for (const actor of actors.values()) actor.stop()
      actors.clear()
    },
  }
}

/** Whether the next request of anybody would likely fail too. */
function isFaultOfModel({ error, fault }: AttemptFailure): boolean {
  if (fault === 'preempted' || fault === 'queue-full') return false
  switch (error.code) {
    case 'connection':
    case 'timeout':
    case 'protocol':
    case 'overloaded':
      return true
    case 'http':
      return error.status === undefined || error.status >= 500
    default:
      return false
  }
}

function leftAlone(model: string): LlmError {
  const message = `${model} failed several times in a row and is left alone for a moment; see its server's log`
  return new LlmError('overloaded', { fault: 'breaker-open', message })
}
