import { StateMachine, type AnyStateMachine, type AnyStateNode, type AnyTransitionDefinition } from 'xstate'
import type { ChartState, ChartTransition } from './protocol.ts'

/** The chart behind an actor's logic, or undefined where it has none (a callback, a promise). */
export function machineOf(logic: unknown): AnyStateMachine | undefined {
  return logic instanceof StateMachine ? logic : undefined
}

/** A statechart as plain data: what a page needs to draw it. */
export function chartOf(machine: AnyStateMachine): ChartState {
  return stateOf(machine.root)
}

function stateOf(node: AnyStateNode): ChartState {
  const initial = node.initial?.target[0]?.id
  return {
    id: node.id,
    key: node.key,
    type: node.type,
    ...(node.description === undefined ? {} : { description: node.description }),
    tags: [...node.tags],
    ...(initial === undefined ? {} : { initial }),
    invokes: node.invoke.map(({ id, src }) => (typeof src === 'string' ? src : id)),
    transitions: [...(node.always ?? []), ...[...node.transitions.values()].flat()].map(transitionOf),
    states: Object.values(node.states).map((child: AnyStateNode) => stateOf(child)),
  }
}

function transitionOf({ eventType, guard, target, actions }: AnyTransitionDefinition): ChartTransition {
  const condition = guard === undefined ? undefined : guardName(guard)
  return {
    on: eventType,
    label: eventLabel(eventType),
    ...(condition === undefined ? {} : { guard: condition }),
    targets: (target ?? []).map(({ id }) => id),
    actions: actions.map(actionName),
  }
}

/**
 * An event type for people.
 *
 *     ''                                       always
 *     xstate.after.falseAfterMs.conversation…  after falseAfterMs
 *     xstate.done.actor.player                 player done
 */
export function eventLabel(eventType: string): string {
  if (eventType === '') return 'always'
  const after = /^xstate\.after\.([^.]+)\./.exec(eventType)
  if (after) return `after ${/^\d+$/.test(after[1] ?? '') ? `${after[1]} ms` : after[1]}`
  const ended = /^xstate\.(done|error)\.(?:actor|state)\.(.+)$/.exec(eventType)
  if (ended) return `${ended[2] === '*' ? 'any actor' : ended[2]} ${ended[1]}`
  return eventType
}

/** Composed guards read as a sentence: `isVoiceOver and not mayContinue`. */
function guardName(guard: unknown): string | undefined {
  if (typeof guard === 'string') return guard
  if (typeof guard === 'object' && guard !== null && 'type' in guard) return String(guard.type)
  if (typeof guard !== 'function') return undefined
  if (!('guards' in guard) || !Array.isArray(guard.guards)) return guard.name === '' ? undefined : guard.name
  const parts = guard.guards.map((part) => guardName(part) ?? '…')
  return guard.name === 'not' ? `not ${parts.join()}` : parts.join(` ${guard.name} `)
}

function actionName(action: unknown): string {
  if (typeof action === 'string') return action
  if (typeof action === 'object' && action !== null && 'type' in action) return String(action.type)
  return typeof action === 'function' && action.name !== '' ? action.name : 'inline'
}
