import { aSegment } from '../support/a-segment.ts'
import { describe, expect, it } from 'vitest'
import { sinkFrom, type Playback } from '../../src/speaking/sink.ts'
import { expectedSpeechMs } from '../../src/speaking/speech-length.ts'

const segment = { ...aSegment, text: 'Hello.', source: 'Hello.' }

const listen = (play: (text: string, signal: AbortSignal) => Promise<void>) => {
  const told: string[] = []
  const subscription = sinkFrom(play)
    .play(segment)
    .subscribe({
      next: ({ type }: Playback) => told.push(type),
      error: () => told.push('error'),
      complete: () => told.push('complete'),
    })
  return { told, subscription }
}

describe('a sink made of a function', () => {
  it('has started when it is called and finished when it resolves', async () => {
    const spoken: string[] = []
    const { told } = listen(async (text) => void spoken.push(text))
    expect(told).toEqual(['started'])
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual(['started', 'finished', 'complete'])
    expect(spoken).toEqual(['Hello.'])
  })

  it('errors when the function rejects or throws', async () => {
    const rejected = listen(() => Promise.reject(new Error('no device')))
    const thrown = listen(() => {
      throw new Error('no device')
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(rejected.told).toEqual(['started', 'error'])
    expect(thrown.told).toEqual(['started', 'error'])
  })

  it('aborts the signal when it is silenced, and not once it is over', async () => {
    const signals: AbortSignal[] = []
    const cut = listen((_text, signal) => {
      signals.push(signal)
      return new Promise(() => {})
    })
    cut.subscription.unsubscribe()
    listen(async (_text, signal) => void signals.push(signal))
    await new Promise((resolve) => setImmediate(resolve))
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    expect(cut.told).toEqual(['started'])
  })

  it('that is silenced and rejects for it tells nothing more', async () => {
    const cut = listen(
      (_text, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
    )
    cut.subscription.unsubscribe()
    await new Promise((resolve) => setImmediate(resolve))
    expect(cut.told).toEqual(['started'])
  })
})

describe('expected speech', () => {
  it('goes by script', () => {
    const charMs = { latin: 66, han: 220 }
    expect(expectedSpeechMs('Hello', charMs)).toBe(330)
    expect(expectedSpeechMs('我们去。', charMs)).toBe(3 * 220 + 66)
    expect(expectedSpeechMs('カナ한글', charMs)).toBe(4 * 220)
    expect(expectedSpeechMs('𠀀', charMs)).toBe(220)
    expect(expectedSpeechMs('', charMs)).toBe(0)
  })
})
