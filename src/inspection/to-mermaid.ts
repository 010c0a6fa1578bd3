import type { AnyStateMachine, AnyStateNode } from 'xstate'

export interface MermaidOptions {
  /** Levels of states to draw; transitions of deeper ones are drawn at the level that is left. Default: all. */
  depth?: number
  /** Draw events without their guards, one arrow between two states. Default: false. */
  plain?: boolean
}

interface Arrow {
  from: AnyStateNode
  to: AnyStateNode
  label: string
  /** It is taken whatever the inner state of `from` is, to another of its inner states. */
  inward: boolean
}

/**
 * A statechart as a Mermaid `stateDiagram-v2`. What happens inside one state (no target) is not drawn. Mermaid knows
 * no arrows between the insides of two composite states, so such an arrow is drawn between the composites and its
 * label begins with the inner state that it leaves. A transition that a composite state takes whatever its inner state
 * starts at `any`.
 *
 *     toMermaid(conversationMachine, { depth: 1 })
 */
export function toMermaid(machine: AnyStateMachine, { depth = Infinity, plain = false }: MermaidOptions = {}): string {
  const arrows = new Map<AnyStateNode, Arrow[]>()
  for (const arrow of allArrows(machine.root, plain)) {
    const { scope, drawn } = place(arrow, depth)
    if (drawn !== null) arrows.set(scope, [...(arrows.get(scope) ?? []), drawn])
  }
  const { root } = machine
  // regions side by side need a state around them
  const lines =
    root.type === 'parallel'
      ? [`  state ${idOf(root)} {`, ...inside(root, arrows, depth, plain, '    '), '  }']
      : inside(root, arrows, depth, plain, '  ')
  return ['stateDiagram-v2', ...lines].join('\n')
}

function inside(
  node: AnyStateNode,
  arrows: Map<AnyStateNode, Arrow[]>,
  depth: number,
  plain: boolean,
  indent: string,
): string[] {
  const children = Object.values(node.states)
  const lines: string[] = []
  children.forEach((child, at) => {
    if (node.type === 'parallel' && at > 0) lines.push(`${indent}--`)
    const isComposite = Object.keys(child.states).length > 0 && child.path.length < depth
    const isNamed = child.key === idOf(child)
    if (!isNamed) lines.push(`${indent}state "${child.key}" as ${idOf(child)}`)
    else if (!isComposite) lines.push(`${indent}${child.key}`)
    if (!isComposite) return
    lines.push(`${indent}state ${idOf(child)} {`, ...inside(child, arrows, depth, plain, `${indent}  `), `${indent}}`)
  })
  const [initial] = node.type === 'compound' ? (node.initial.target ?? []) : []
  if (initial !== undefined) lines.push(`${indent}[*] --> ${idOf(childToward(node, initial))}`)
  const own = joined(arrows.get(node) ?? [], plain)
  if (own.some(({ inward }) => inward)) lines.push(`${indent}state "any" as ${idOf(node)}__any`)
  for (const { from, to, label, inward } of own) {
    const start = inward ? `${idOf(node)}__any` : idOf(from)
    lines.push(`${indent}${start} --> ${idOf(to)}${label === '' ? '' : ` : ${label}`}`)
  }
  for (const child of children) if (child.type === 'final') lines.push(`${indent}${idOf(child)} --> [*]`)
  return lines
}

/** Arrows between the same two states become one. */
function joined(arrows: readonly Arrow[], plain: boolean): Arrow[] {
  const byEnds = new Map<string, Arrow>()
  for (const arrow of arrows) {
    const key = `${arrow.from.id} ${arrow.to.id}${plain ? '' : ` ${arrow.label}`}`
    const known = byEnds.get(key)
    const labels = new Set([...(known?.label.split(', ') ?? []), arrow.label])
    labels.delete('')
    byEnds.set(key, { ...arrow, label: [...labels].join(', ') })
  }
  return [...byEnds.values()]
}

function allArrows(node: AnyStateNode, plain: boolean): Arrow[] {
  const own = [...(node.always ?? []), ...[...node.transitions.values()].flat()].flatMap((transition) =>
    (transition.target ?? []).map((to) => ({ from: node, to, label: labelOf(transition, plain), inward: false })),
  )
  return [...own, ...Object.values(node.states).flatMap((child) => allArrows(child, plain))]
}

/** The state within which an arrow can be drawn, and its ends lifted to that state's children. */
function place({ from, to, label }: Arrow, depth: number): { scope: AnyStateNode; drawn: Arrow | null } {
  const [source, target] = [atDepth(from, depth), atDepth(to, depth)]
  const scope = commonAncestor(source, target)
  // what goes on below the drawn levels
  if (source === target && (source !== from || target !== to)) return { scope, drawn: null }
  const end = childToward(scope, target)
  if (source === scope) return { scope, drawn: { from: scope, to: end, label, inward: true } }
  const start = childToward(scope, source)
  const inner = from.path.length > depth ? '' : from.path.slice(start.path.length).join('.')
  return { scope, drawn: { from: start, to: end, label: `${inner} ${label}`.trim(), inward: false } }
}

function labelOf(transition: { eventType: string; guard?: unknown }, plain: boolean): string {
  const guard = guardOf(transition.guard)
  const event = eventOf(transition.eventType)
  if (plain && event !== '') return event
  return [event, ...(guard === '' ? [] : [`[${guard}]`])].join(' ').trim()
}

/** xstate.after.endpointing.conversation.detecting -> after endpointing */
function eventOf(type: string): string {
  const [, kind = '', what = ''] = /^xstate\.(after|done|error)\.(?:actor\.|state\.)?([^.]*)/.exec(type) ?? []
  if (kind === '') return type
  // an actor without a name has a number
  const isNameless = what === '*' || (kind !== 'after' && /^\d+$/.test(what))
  return isNameless ? kind : `${kind} ${what}`
}

function guardOf(guard: unknown): string {
  if (typeof guard === 'string') return guard
  if (guard === null || guard === undefined) return ''
  if (typeof guard === 'object') return 'type' in guard ? String(guard.type) : ''
  if (typeof guard !== 'function') return ''
  if (!('guards' in guard) || !Array.isArray(guard.guards)) return guard.name === '' ? 'a condition' : guard.name
  const parts = guard.guards.map(guardOf)
  return guard.name.startsWith('not') ? `not ${parts.join(' ')}` : parts.join(` ${guard.name} `)
}

function atDepth(node: AnyStateNode, depth: number): AnyStateNode {
  return node.path.length > depth && node.parent ? atDepth(node.parent, depth) : node
}

function ancestors(node: AnyStateNode): AnyStateNode[] {
  return node.parent ? [...ancestors(node.parent), node.parent] : []
}

/** The innermost state that holds both; for an arrow of a state to its own inside, that state. */
function commonAncestor(one: AnyStateNode, other: AnyStateNode): AnyStateNode {
  if (one === other) return one.parent ?? one
  const above = new Set([...ancestors(one), ...(ancestors(other).includes(one) ? [one] : [])])
  const shared = ancestors(other).filter((node) => above.has(node))
  return shared.at(-1) ?? one.machine.root
}

function childToward(scope: AnyStateNode, node: AnyStateNode): AnyStateNode {
  return node.parent === scope || !node.parent ? node : childToward(scope, node.parent)
}

function idOf(node: AnyStateNode): string {
  return node.path.length === 0 ? node.machine.root.key : node.path.join('_').replaceAll(/\W/g, '_')
}
