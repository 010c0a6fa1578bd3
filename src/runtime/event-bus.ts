import { filter, fromEventPattern, Subject, type Observable } from 'rxjs'

/** What travels on a bus: a type, and whatever belongs to it. */
export interface BusEvent {
  readonly type: string
}

/** The bus that speech services publish on and that colloquy answers on. It may be shared with others. */
export interface EventBus {
  // generic, so that an event may be written in place with all that belongs to it
  publish<Event extends BusEvent>(event: Event): void
  on(type: string): Observable<unknown>
}

/** A bus within the process. A subscriber that throws is the subscriber's matter: the others still hear. */
export function createEventBus(): EventBus {
  const all = new Subject<BusEvent>()
  return {
    publish: (event) => all.next(event),
    on: (type) => all.pipe(filter((event) => event.type === type)),
  }
}

/** The part of Node's EventEmitter (and its many look-alikes) that a bus needs. */
export interface EmitterLike {
  emit(type: string, event: unknown): unknown
  on(type: string, listener: (event: unknown) => void): unknown
  off(type: string, listener: (event: unknown) => void): unknown
}

/** Uses an emitter as the bus: each event is emitted under its type, itself as the one argument. */
export function busFromEventEmitter(emitter: EmitterLike): EventBus {
  return {
    publish: (event) => void emitter.emit(event.type, event),
    on: (type) =>
      fromEventPattern<unknown>(
        (listener) => emitter.on(type, listener),
        (listener) => emitter.off(type, listener),
      ),
  }
}
