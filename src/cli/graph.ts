import type { AnyStateMachine } from 'xstate'
import { suggestion } from '../config/nearest.ts'
import { toMermaid } from '../inspection/to-mermaid.ts'
import { breakerMachine, conversationMachine, detectionMachine, replyMachine } from '../../machines/index.ts'
import { jsonFlag, type Command } from './command.ts'
import { UsageError } from './read-arguments.ts'

export const charts: Readonly<Record<string, AnyStateMachine>> = {
  conversation: conversationMachine,
  reply: replyMachine,
  detection: detectionMachine,
  breaker: breakerMachine,
}

export const graph: Command = {
  name: 'graph',
  usage: '[MACHINE] [--depth N] [--json]',
  summary: `Prints a statechart (${Object.keys(charts).join(', ')}) as Mermaid or as XState JSON`,
  flags: { depth: { value: 'N', meaning: 'levels of states to draw; default: all' }, ...jsonFlag },
  async run({ words: [name = 'conversation', extra], texts, switches }, { output }) {
    const machine = Object.hasOwn(charts, name) ? charts[name] : undefined
    if (machine === undefined) {
      const known = Object.keys(charts)
      const near = suggestion(name, known)
      throw new UsageError(`unknown machine ${name}${near === '' ? `; there are ${known.join(', ')}` : near}`)
    }
    if (extra !== undefined) throw new UsageError(`graph draws one machine at a time, and ${extra} is a second one`)
    const depth = texts.get('depth')
    if (depth !== undefined && !/^[1-9]\d?$/.test(depth)) throw new UsageError('--depth must be a whole number from 1')
    if (switches.has('json')) output.json(machine.definition, 2)
    else output.lines(...toMermaid(machine, depth === undefined ? {} : { depth: Number(depth) }).split('\n'))
    return 0
  },
}
