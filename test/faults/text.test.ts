import { describe, expect, it } from 'vitest'
import { slice } from '../speaking/pieces.ts'
import { cueSink } from './cue-sink.ts'
import { stage } from './support.ts'

const escape = '\u001b'
const driving = `${escape}]0;owned\u0007Red: ${escape}[31malert${escape}[0m. ${escape}]8;;https://e.org/${escape}\\Link${escape}]8;;${escape}\\ \u009b1mbold.\0 \u202eEnd\ud83d.`

describe('text that is meant to do harm', () => {
  it.each([driving.length, 7, 1])(
    'row 82: what drives a terminal never reaches a sink, in deltas of %s',
    async (length) => {
      const sink = cueSink({ auto: true })
      const { ask, settles } = await stage({ options: { sink }, replies: [{ deltas: slice(driving, [length]) }] })
      const { heard } = await ask()
      expect(sink.handed.map(({ text }) => text).join(' ')).toBe('Red: alert. Link bold. End.')
      expect(heard).toContain(`${escape}[31malert${escape}[0m.`)
      await settles()
    },
  )

  it.each([
    ['the bars of a table', '|-'],
    ['brackets', '[('],
    ['backticks', '` `` '],
    ['initials', 'A. '],
    ['marks on no letter', '\u0301\u0316'],
  ])('row 83: a reply of 8 000 characters of %s freezes nothing', async (_, unit) => {
    const text = `${unit.repeat(7_900 / unit.length)} Hello there, my good friend.`
    const sink = cueSink({ auto: true })
    const { ask, settles } = await stage({ options: { sink }, replies: [{ deltas: slice(text, [40]) }] })
    const before = process.cpuUsage()
    expect((await ask()).ending).toBe('finished')
    // It was a minute and a half. What is left is mostly the way through sockets and charts.
    expect(process.cpuUsage(before).user).toBeLessThan(10_000_000)
    for (const { source } of sink.handed) expect(source.length).toBeLessThanOrEqual(240)
    await settles()
  })
})
