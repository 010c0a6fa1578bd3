import { Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { sinkFrom, type SpeechSink } from '../../src/speaking/sink.ts'
import { cueSink } from './cue-sink.ts'
import { quiet } from './resources.ts'
import { stage } from './support.ts'

describe('a sink that does not do its work', () => {
  const broken: [fact: string, sink: () => SpeechSink][] = [
    ['errors at once', () => failingOnce((told) => told.error(new Error('no sound card')))],
    [
      'errors in mid-segment',
      () =>
        failingOnce((told) => {
          told.next({ type: 'progressed', chars: 3 })
          told.error(new Error('no sound card'))
        }),
    ],
    ['ends without having finished', () => failingOnce((told) => told.complete())],
    [
      'throws in play',
      () => {
        const able = cueSink({ auto: true })
        let calls = 0
        return {
          ...able,
          play: (segment) => {
            if (calls++ === 0) throw new Error('no sound card')
            return able.play(segment)
          },
        }
      },
    ],
    [
      'rejects',
      () => {
        let calls = 0
        return sinkFrom(async () => {
          if (calls++ === 0) throw new Error('no sound card')
        })
      },
    ],
  ]
  it.each(broken)('row 48: a sink that %s stops the reply with a typed error', async (_, sink) => {
    const { ask, one, asked, settles } = await stage({
      options: { sink: sink() },
      replies: [{ deltas: ['It is noon. And', ' more'], hold: 1 }],
    })
    expect(await ask()).toMatchObject({ ending: 'failed', error: { code: 'sink' } })
    expect(await one.closed(0)).toMatchObject({ closedEarly: true })
    expect(asked()).toEqual(['m1'])
    await settles()
  })

  it('row 48: what was heard before the sink broke is kept', async () => {
    const sink = cueSink()
    const { ask, history, settles } = await stage({ options: { sink }, replies: [{ text: 'It is noon. Enjoy it.' }] })
    const outcome = ask()
    await quiet(() => sink.isPlaying)
    sink.says({ type: 'started' }, { type: 'progressed', chars: 6 })
    sink.fails(new Error('unplugged'))
    expect(await outcome).toMatchObject({ ending: 'failed', heard: 'It is', error: { code: 'sink' } })
    expect(history().at(-1)).toEqual(['assistant', 'It is', 'cut'])
    await settles()
  })

  it('row 49: a sink that never drains is given up, and the text it holds back is within the reply limit', async () => {
    const sink = cueSink()
    const { ask, of, one, clock, settles } = await stage({
      options: { sink },
      replies: [{ deltas: ['So it is. '], fault: { kind: 'endless' } }],
    })
    const outcome = ask()
    // the socket is drained and let go although nothing plays
    await one.closed(0)
    await quiet(() => of('RESPONSE_GENERATED').length === 1)
    expect(of('RESPONSE_GENERATED')[0]?.text.length).toBeLessThanOrEqual(8_000)
    expect(sink.handed).toHaveLength(1)
    clock.wind(11_000)
    expect(await outcome).toMatchObject({ ending: 'failed', heard: '', error: { code: 'sink-stalled' } })
    expect(sink.isPlaying).toBe(false)
    sink.fails(new Error('too late'))
    const able = cueSink({ auto: true })
    expect(able.handed).toHaveLength(0)
    await settles({ heard: 'Fine now.' })
  })
})

/** Fails on the first segment, plays the others at once. */
function failingOnce(
  fail: (told: {
    next(playback: { type: 'progressed'; chars: number }): void
    error(error: Error): void
    complete(): void
  }) => void,
): SpeechSink {
  const able = cueSink({ auto: true })
  let calls = 0
  return { play: (segment) => (calls++ === 0 ? new Observable((told) => fail(told)) : able.play(segment)) }
}
