import type { AnyStateMachine, AnyStateNode } from 'xstate'
import { toMermaid } from './to-mermaid.ts'

export interface Charts {
  conversationMachine: AnyStateMachine
  replyMachine: AnyStateMachine
  detectionMachine: AnyStateMachine
  breakerMachine: AnyStateMachine
}

/** The page of all charts, in Markdown: each one drawn, and what each of its states means. */
export function describeCharts(charts: Charts): string {
  const { conversationMachine, replyMachine, detectionMachine, breakerMachine } = charts
  return [
    describeChart('The conversation', conversationMachine),
    describeChart('One reply', replyMachine),
    describeChart('Which API a server speaks', detectionMachine),
    describeChart('When an origin is left alone', breakerMachine),
  ].join('\n\n')
}

/** The top level of the conversation, for the README. */
export function describeConversation(conversationMachine: AnyStateMachine): string {
  return fenced(toMermaid(conversationMachine, { depth: 1, plain: true }))
}

function describeChart(title: string, machine: AnyStateMachine): string {
  const isDeep = Object.values(machine.root.states).some((state) => Object.keys(state.states).length > 0)
  const pictures = isDeep ? overviewAndDetails(machine) : [fenced(toMermaid(machine))]
  const rows = statesIn(machine.root).map(
    (state) => `| \`${state.path.join('.')}\` | ${state.description ?? ''} | ${[...state.tags].join(', ')} |`,
  )
  return [`## ${title}`, ...pictures, ['| state | meaning | tags |', '| --- | --- | --- |', ...rows].join('\n')].join(
    '\n\n',
  )
}

function overviewAndDetails(machine: AnyStateMachine): string[] {
  if (machine.root.type === 'parallel') return [fenced(toMermaid(machine))]
  return [fenced(toMermaid(machine, { depth: 1, plain: true })), 'In full:', fenced(toMermaid(machine))]
}

function statesIn(node: AnyStateNode): AnyStateNode[] {
  return Object.values(node.states).flatMap((state) => [state, ...statesIn(state)])
}

function fenced(diagram: string): string {
  return `\`\`\`mermaid\n${diagram}\n\`\`\``
}
