import {
  isMachineSnapshot,
  type AnyActorRef,
  type AnyStateMachine,
  type AnyStateNode,
  type InspectionEvent,
} from 'xstate'
import type { Conversation } from '../index.ts'

/** A state of a machine, as plain data to be drawn. */
export interface ChartNode {
  /** `conversation.responding.paused`, as XState names it. */
  id: string
  key: string
  type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history'
  description?: string
  initial?: string
  states: ChartNode[]
  /** Out of this state, to be drawn; those that stay are left out. */
  transitions: { event: string; to: string }[]
}

/** The definition of a machine as data: what a page draws, taken from the machine and from nothing else. */
export function chartOf(machine: AnyStateMachine): ChartNode {
  return nodeOf(machine.root)
}

function nodeOf(node: AnyStateNode): ChartNode {
  const transitions = [...node.transitions.values(), node.always ?? []]
    .flat()
    .flatMap(({ eventType, target }) => (target ?? []).map(({ id }) => ({ event: eventName(eventType), to: id })))
  const seen = new Set<string>()
  const { initial } = node
  const first = initial.target?.[0]?.key
  return {
    id: node.id,
    key: node.key,
    type: node.type,
    ...(node.description === undefined ? {} : { description: node.description }),
    ...(node.type === 'compound' && first !== undefined ? { initial: first } : {}),
    states: Object.values(node.states).map(nodeOf),
    transitions: transitions.filter(({ event, to }) => !seen.has(`${event} ${to}`) && seen.add(`${event} ${to}`)),
  }
}

/** `xstate.after.minDuration.conversation.responding` is `after minDuration`; no event at all is `always`. */
export function eventName(type: string): string {
  if (type === '') return 'always'
  const after = /^xstate\.after\.([^.]+)\./u.exec(type)?.[1]
  if (after !== undefined) return `after ${after}`
  return type.startsWith('xstate.') ? type.split('.').slice(1, 3).join(' ') : type
}

/** Ids of the active states, outermost first, from a state value. */
export function activeIds(value: unknown, prefix: string): string[] {
  if (typeof value === 'string') return [`${prefix}.${value}`]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, below]) => [`${prefix}.${key}`, ...activeIds(below, `${prefix}.${key}`)])
}

/** One step of a chart: where it is now, and the transition that led there. */
export interface ChartStep {
  chart: 'conversation' | 'reply'
  active: string[]
  last?: { event: string; from: string; to: string }
}

/** Reads a step from an inspection event of XState; undefined where no state changed. */
export function stepOf(event: InspectionEvent): ChartStep | undefined {
  if (event.type !== '@xstate.microstep' && event.type !== '@xstate.snapshot') return undefined
  const { snapshot } = event
  if (!isMachineSnapshot(snapshot)) return undefined
  const chart = snapshot.machine.id
  if (chart !== 'conversation' && chart !== 'reply') return undefined
  const active = activeIds(snapshot.value, chart)
  if (event.type === '@xstate.snapshot') return event.event.type === 'xstate.init' ? { chart, active } : undefined
  const taken = event._transitions.find(({ target }) => (target ?? []).length > 0)
  const to = taken?.target?.[0]
  if (taken === undefined || to === undefined) return undefined
  return { chart, active, last: { event: eventName(taken.eventType), from: taken.source.id, to: to.id } }
}

/** Where the charts of a conversation stand: its own, and that of a reply it may have. */
export function chartsNow({ actor }: Conversation): ChartStep[] {
  const { value, children } = actor.getSnapshot()
  const replies = Object.values<AnyActorRef | undefined>(children)
    .map((child): unknown => child?.getSnapshot())
    .filter((snapshot) => isMachineSnapshot(snapshot))
    .filter(({ machine }) => machine.id === 'reply')
  return [
    { chart: 'conversation', active: activeIds(value, 'conversation') },
    ...replies.map((reply): ChartStep => ({ chart: 'reply', active: activeIds(reply.value, 'reply') })),
  ]
}
