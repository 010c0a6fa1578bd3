import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { conversationMachine, replyMachine } from '../../machines/index.ts'
import { activeIds, chartOf, eventName, type ChartNode } from '../../src/server/chart.ts'
import { clientMessages } from '../../src/server/protocol.ts'
import { closeCodes } from '../../src/server/wire-client.ts'

test('docs/protocol.md names every message a client may send, with its fields, and every close code', async () => {
  const page = await readFile('docs/protocol.md', 'utf8')
  for (const { shape } of clientMessages(10).options) {
    const type = String(shape.type.value)
    const line = type === 'hello' ? page : page.split('\n').find((text) => text.startsWith(`| \`${type}\` |`))
    expect(line, type).toBeDefined()
    for (const field of Object.keys(shape))
      if (!['type', 'conversationId', 'v'].includes(field)) expect(line, `${type}.${field}`).toContain(field)
  }
  for (const code of Object.values(closeCodes)) expect(page).toContain(`| ${code} |`)
})

test('a chart as data holds every state of the machine, and leads nowhere that is not there', () => {
  for (const machine of [conversationMachine, replyMachine]) {
    const ids = new Set<string>()
    const visit = (node: ChartNode, look: (node: ChartNode) => void): void => {
      look(node)
      for (const child of node.states) visit(child, look)
    }
    const chart = chartOf(machine)
    visit(chart, ({ id }) => ids.add(id))
    visit(chart, ({ transitions }) => {
      for (const { to } of transitions) expect(ids).toContain(to)
    })
    for (const id of ids) if (id !== chart.id) expect(machine.getStateNodeById(id).id).toBe(id)
    expect(JSON.parse(JSON.stringify(chart))).toEqual(chart)
  }
})

test('active states are told outermost first, in regions and out of them', () => {
  expect(activeIds('idle', 'c')).toEqual(['c.idle'])
  expect(activeIds({ a: { b: 'x', d: { e: 'y' } } }, 'c')).toEqual([
    'c.a',
    'c.a.b',
    'c.a.b.x',
    'c.a.d',
    'c.a.d.e',
    'c.a.d.e.y',
  ])
  expect(['', 'xstate.after.minDelay.c.a', 'SPEECH_ENDED'].map(eventName)).toEqual([
    'always',
    'after minDelay',
    'SPEECH_ENDED',
  ])
})
