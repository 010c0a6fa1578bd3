import { fromCallback, type CallbackActorLogic, type EventObject } from 'xstate'

/**
 * Stands in a chart for an actor that has a world outside: `machine.provide({ actors: { [name]: … } })` puts the real
 * one in. A chart that starts it unprovided fails with this message; `transition()` never starts actors.
 */
export function notProvided<TEvent extends EventObject, TInput>(name: string): CallbackActorLogic<TEvent, TInput> {
  return fromCallback<TEvent, TInput>(() => {
    throw new Error(`actor "${name}" is not provided: call machine.provide({ actors: { ${name}: … } }) first`)
  })
}
