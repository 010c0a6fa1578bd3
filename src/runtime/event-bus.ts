import { filter, Observable, Subject } from 'rxjs'
import { reportTo } from './collaborators/report.ts'
import { isThenable } from './collaborators/thenable.ts'
import { isolateSubscribers } from './isolate-subscribers.ts'

/** What travels on a bus: a type, and whatever belongs to it. */
export interface BusEvent {
  readonly type: string
}

/** The bus that speech services publish on and that colloquy answers on. It may be shared with others. */
export interface EventBus {
  // generic, so that an event may be written in place with all that belongs to it
  /** Nothing waits for a promise; one that rejects is reported. */
  publish<Event extends BusEvent>(event: Event): void | Promise<void>
  on(type: string): Observable<unknown>
}

/** A bus is made before the service that has a logger. */
const report = reportTo(undefined)

/** Publishes at once, and returns no promise. */
export interface LocalEventBus extends EventBus {
  publish<Event extends BusEvent>(event: Event): void
}

/** A bus within the process. A subscriber that throws or rejects is a warning of the process: the others still hear. */
export function createEventBus(): LocalEventBus {
  const all = new Subject<BusEvent>()
  const isolated = isolateSubscribers(all, report)
  return {
    publish: (event) => all.next(event),
    on: (type) => isolated.pipe(filter((event) => event.type === type)),
  }
}

/** The part of Node's EventEmitter (and its many look-alikes, some of which return promises) that a bus needs. */
export interface EmitterLike {
  emit(type: string, event: unknown): unknown
  on(type: string, listener: (event: unknown) => void): unknown
  off(type: string, listener: (event: unknown) => void): unknown
}

/** Uses an emitter as the bus: each event is emitted under its type, itself as the one argument. */
export function busFromEventEmitter(emitter: EmitterLike): EventBus {
  const settled = async (asked: unknown): Promise<void> => void (await asked)
  return {
    publish(event) {
      const emitted = emitter.emit(event.type, event)
      if (isThenable(emitted)) return settled(emitted)
    },
    on: (type) =>
      new Observable((subscriber) => {
        const listener = (event: unknown) => subscriber.next(event)
        settled(emitter.on(type, listener)).catch((thrown: unknown) => subscriber.error(thrown))
        return () => {
          const left = (thrown: unknown) => report('the event bus failed in off', thrown)
          settled(emitter.off(type, listener)).catch(left)
        }
      }),
  }
}
