import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { createMachine } from 'xstate'
import * as machines from '../../machines/index.ts'
import { describeCharts, describeConversation } from '../../src/inspection/describe-charts.ts'
import { toMermaid } from '../../src/inspection/to-mermaid.ts'

const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8')

describe('the pictures are drawn from the machines (npm run docs draws them anew)', () => {
  it('docs/statecharts.md is not stale', async () => {
    expect(await read('docs/statecharts.md')).toContain(`-->\n${describeCharts(machines)}\n<!--`)
  })

  it('the picture in the README is not stale', async () => {
    expect(await read('README.md')).toContain(`-->\n${describeConversation(machines.conversationMachine)}\n<!--`)
  })
})

describe('toMermaid', () => {
  const lines = (text: string) => text.split('\n').map((line) => line.trim())

  it('draws states, guards, delays and the end', () => {
    const machine = createMachine({
      id: 'door',
      initial: 'open',
      states: {
        open: { on: { PUSHED: { target: 'shut', guard: 'isFree' } } },
        shut: { after: { 1000: 'gone' }, on: { KNOCKED: {} } },
        gone: { type: 'final' },
      },
    })
    expect(lines(toMermaid(machine))).toEqual([
      'stateDiagram-v2',
      'open',
      'shut',
      'gone',
      '[*] --> open',
      'open --> shut : PUSHED [isFree]',
      'shut --> gone : after 1000',
      'gone --> [*]',
    ])
  })

  it('an arrow out of a composite is drawn between the composites, and says where it starts', () => {
    const machine = createMachine({
      initial: 'a',
      states: {
        a: { initial: 'x', states: { x: { on: { GO: '#b' } } }, on: { BACK: '.x' } },
        b: { id: 'b', initial: 'y', states: { y: {} } },
      },
    })
    const drawn = lines(toMermaid(machine))
    expect(drawn).toContain('a --> b : x GO')
    expect(drawn).toContain('a__any --> a_x : BACK')
  })

  it('at depth 1 only the top level is left', () => {
    const drawn = lines(toMermaid(machines.conversationMachine, { depth: 1 }))
    expect(drawn.filter((line) => line.endsWith('{'))).toEqual([])
    expect(drawn).toContain('conversation__any --> stopped : SYSTEM_STOPPED')
  })

  it('regions are drawn side by side', () => {
    const regions = createMachine({ id: 'p', type: 'parallel', states: { one: {}, two: {} } })
    expect(lines(toMermaid(regions))).toEqual(['stateDiagram-v2', 'state p {', 'one', '--', 'two', '}'])
  })
})
