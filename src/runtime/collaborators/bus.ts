import type { Observable } from 'rxjs'
import type { ServiceEvent } from '../../../machines/vocabulary.ts'
import { LlmError } from '../../backends/contract.ts'
import type { EventBus } from '../event-bus.ts'
import { demand, hasMethods } from './check.ts'
import { isolate } from './isolate.ts'
import type { Report } from './report.ts'
import { isStream, streamOf } from './stream-of.ts'
import { disown, isThenable } from './thenable.ts'

/** The bus of a program behind its guard. */
export interface GuardedBus {
  publish(event: ServiceEvent): void
  /** Throws `config` for a bus that gives no stream. The stream errors with whatever is wrong later. */
  on(type: string): Observable<unknown>
}

export function guardBus(bus: EventBus, report: Report): GuardedBus {
  const isBus = hasMethods(bus, 'publish', 'on')
  demand(isBus, 'bus must have the methods publish and on; busFromEventEmitter(emitter) makes one')
  const attempt = isolate((method, thrown) => report(`the event bus failed in ${method}`, thrown))

  function ask(type: string): unknown {
    try {
      return bus.on(type)
    } catch (cause) {
      const message = `the event bus threw in on('${type}'); initialize again when it can be listened to`
      throw new LlmError('config', { message, cause })
    }
  }

  return {
    publish(event) {
      attempt('publish', () => bus.publish(event))
    },
    on(type) {
      const stream = ask(type)
      // It may come to no subscription, where the next type is refused.
      disown(stream)
      demand(isStream(stream) || isThenable(stream), 'bus.on must return an Observable of the events of a type')
      return streamOf(
        () => stream,
        (thrown) => report('the event bus failed in unsubscribe', thrown),
      )
    },
  }
}
