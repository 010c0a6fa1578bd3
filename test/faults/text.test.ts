import { describe, expect, it } from 'vitest'
import { costMs } from '../linear/cost.ts'
import { slice } from '../speaking/pieces.ts'
import { cueSink } from './cue-sink.ts'
import { quiet } from './resources.ts'
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
      expect(sink.handed.map(({ text }) => text)).toEqual(['Red: alert.', 'Link bold.', 'End.'])
      // The last half of a character is not what a server can send.
      expect(heard?.slice(0, -2)).toBe(driving.slice(0, -2))
      await settles()
    },
  )

  it.each([
    ['the bars of a table', '|-'],
    ['brackets', '[('],
    ['backticks', '` `` '],
    ['initials', 'A. '],
    ['marks on one letter', '\u0301\u0316'],
    ['control strings', `${escape}]`],
  ])('row 83: a reply of 8 000 characters of %s freezes nothing, cut in mid-speech', async (_, unit) => {
    const text = `${unit.repeat(7_900 / unit.length)} Hello there, my good friend.`
    const sink = cueSink()
    const { ask, conversation, settles } = await stage({ options: { sink }, replies: [{ deltas: slice(text, [1]) }] })
    const before = process.cpuUsage()
    const outcome = ask()
    await quiet(() => sink.isPlaying)
    const [segment] = sink.handed
    expect(segment?.source.length).toBeLessThanOrEqual(240)
    sink.says({ type: 'started' }, { type: 'progressed', chars: (segment?.text.length ?? 0) / 2 })
    expect(costMs(() => conversation.interrupt())).toBeLessThan(1_000)
    expect((await outcome).ending).toBe('interrupted')
    const { user } = process.cpuUsage(before)
    expect(user).toBeLessThan(10_000_000)
    await settles()
  })
})
