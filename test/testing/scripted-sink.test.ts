import { describe, expect, test } from 'vitest'
import { aSegment } from '../support/a-segment.ts'
import type { Playback } from '../../src/speaking/sink.ts'
import { scriptedSink, type SinkScript } from '../../src/testing/scripted-sink.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'

function play(script: SinkScript, text = 'abc') {
  const clock = virtualClock()
  const sink = scriptedSink(script, clock)
  const told: (readonly [number, string])[] = []
  const say = (what: Playback) =>
    told.push([clock.now(), what.type === 'progressed' ? `${what.chars}` : what.type] as const)
  const playing = sink.play({ ...aSegment, text, source: text }).subscribe(say)
  return { clock, sink, told, playing }
}

describe('the scripted sink', () => {
  test('a character counts once it is fully played', async () => {
    const { clock, told, sink } = play({})
    await clock.advanceTo(149)
    expect(sink.played[0]?.chars).toBe(1)
    await clock.runUntilIdle()
    expect(told).toEqual([
      [30, 'started'],
      [90, '1'],
      [150, '2'],
      [210, '3'],
      [210, 'finished'],
    ])
    expect(sink.sounds).toEqual([[30, 210]])
  })

  test('a pause keeps the part of a character that was played', async () => {
    const { clock, told, sink } = play({})
    await clock.advanceTo(100)
    sink.pause?.()
    await clock.advanceTo(1_000)
    sink.resume?.()
    await clock.runUntilIdle()
    expect(told.at(-1)).toEqual([1_110, 'finished'])
    expect(sink.pauses).toEqual([[100, 1_000]])
    expect(sink.sounds).toEqual([
      [30, 100],
      [1_000, 1_110],
    ])
  })

  test('a segment handed over while it is paused waits', async () => {
    const clock = virtualClock()
    const sink = scriptedSink({}, clock)
    sink.pause?.()
    sink.play({ ...aSegment, text: 'a', source: 'a' }).subscribe()
    expect(clock.pending).toBe(0)
    sink.resume?.()
    expect(await clock.runUntilIdle()).toBe(90)
  })

  test('unsubscribing silences at once and leaves no timer, paused or not', async () => {
    for (const isPaused of [false, true]) {
      const { clock, sink, playing } = play({})
      await clock.advanceTo(100)
      if (isPaused) sink.pause?.()
      playing.unsubscribe()
      expect([clock.pending, sink.sounds, sink.played[0]?.endedAtMs]).toEqual([0, [[30, 100]], 100])
    }
  })

  test('one that only finishes says nothing else; one that never acknowledges plays all the same', async () => {
    const finishing = play({ acknowledges: 'finish' })
    await finishing.clock.runUntilIdle()
    expect(finishing.told).toEqual([[210, 'finished']])
    const silent = play({ acknowledges: 'never' })
    await silent.clock.runUntilIdle()
    expect([silent.told, silent.sink.played[0]?.chars, silent.sink.played[0]?.acknowledged]).toEqual([[], 3, 0])
  })

  test('one that cannot pause has no pause', () => {
    expect(play({ pausable: false }).sink.pause).toBeUndefined()
  })
})
