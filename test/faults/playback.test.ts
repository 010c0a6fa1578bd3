import { from, Observable, of, type Subscriber } from 'rxjs'
import { describe, expect, it } from 'vitest'
import type { Playback, SpeechSink } from '../../src/speaking/sink.ts'
import { talk } from '../runtime/harness.ts'
import { nothingEndsTheProcess } from '../support/nothing-ends-the-process.ts'

nothingEndsTheProcess()

/** A sink as JavaScript may write it: `play` is called for the first segment, and all others are played at once. */
function onceBy(play: () => unknown): SpeechSink {
  let isFirst = true
  const sink = {
    play: (): unknown => {
      if (!isFirst) return of({ type: 'finished' })
      isFirst = false
      return play()
    },
  }
  return Object.assign({ play: () => of<Playback>({ type: 'finished' }) }, sink)
}

async function turns(sink: SpeechSink) {
  const {
    service,
    conversation,
    clock,
    of: told,
  } = talk({
    backend: { replies: [{ text: 'It is noon.' }] },
    sink: null,
    options: { sink },
  })
  const asked = [conversation.ask('what time is it'), service.conversation('other').ask('and here')]
  await clock.runUntilIdle()
  const next = conversation.ask('and now')
  await clock.runUntilIdle()
  const [first, other] = await Promise.all(asked)
  expect(other).toMatchObject({ ending: 'finished', heard: 'It is noon.' })
  expect(await next).toMatchObject({ ending: 'finished', heard: 'It is noon.' })
  await service.close()
  expect(clock.pending).toBe(0)
  return { first, errors: told('ERROR_OCCURRED') }
}

/** Says these things, and then nothing more. */
const says = (...things: unknown[]) =>
  new Observable<unknown>((subscriber) => {
    for (const thing of things) subscriber.next(thing)
  })

/** As JavaScript may make it. */
const observable = (subscribe: unknown): unknown => Reflect.construct(Observable, [subscribe])

describe('what a sink says', () => {
  const none: [what: string, said: unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['a text', 'started'],
    ['a number', 5],
    ['a list', []],
    ['an object', {}],
    ['an unknown type', { type: 'x' }],
    ['progress without characters', { type: 'progressed' }],
    ['progress in words', { type: 'progressed', chars: '3' }],
    ['a promise', Promise.resolve({ type: 'finished' })],
    ['a function', () => ({ type: 'finished' })],
    [
      'something that throws when it is read',
      {
        get type() {
          throw new Error('a getter')
        },
      },
    ],
  ]
  it.each(none)('row 81: %s is no Playback: an error of the sink, and the next turn works', async (_, said) => {
    const { first, errors } = await turns(onceBy(() => says({ type: 'started' }, said, { type: 'finished' })))
    expect(first).toMatchObject({ ending: 'failed', heard: '', error: { code: 'sink' } })
    expect(errors).toMatchObject([{ code: 'sink', recoverable: true }])
  })

  const far: [chars: number, heard: string][] = [
    [Number.NaN, ''],
    [-1, ''],
    [Infinity, ''],
    [-Infinity, ''],
    [5.9, 'It is'],
    [1e300, 'It is noon.'],
  ]
  it.each(far)(
    'row 81: progress by %s characters is a sign of life, and heard is what it can be',
    async (chars, heard) => {
      const { service, conversation, clock } = talk({
        backend: { replies: [{ text: 'It is noon.' }] },
        sink: null,
        options: { sink: onceBy(() => says({ type: 'progressed', chars })) },
      })
      const asked = conversation.ask('what time is it')
      await clock.advanceTo(2_000)
      conversation.interrupt()
      await clock.runUntilIdle()
      expect(await asked).toMatchObject({ ending: 'interrupted', heard })
      await service.close()
    },
  )
})

describe('what play returns', () => {
  const fail = () => {
    throw new Error('no device')
  }
  const finished: Playback = { type: 'finished' }
  const failing: [what: string, play: () => unknown, code: string][] = [
    ['throws', fail, 'sink'],
    ['returns nothing', () => undefined, 'sink'],
    ['returns a list', () => [finished], 'sink'],
    ['rejects', async () => fail(), 'sink'],
    ['resolves with nothing', async () => undefined, 'sink'],
    ['errors with nothing', () => new Observable((told) => told.error(undefined)), 'sink'],
    ['throws in subscribe', () => new Observable(fail), 'sink'],
    ['throws in a subscribe of its own', () => ({ subscribe: fail }), 'sink'],
    ['rejects in subscribe', () => observable(async () => fail()), 'sink'],
    ['speaks with a promise of nothing', () => from(Promise.resolve()), 'sink'],
    ['says a promise that rejects', () => says(Promise.reject(new Error('no device'))), 'sink'],
    ['ends without `finished`', () => of({ type: 'started' }), 'sink'],
    ['says nothing for ever', () => new Observable(() => {}), 'sink-stalled'],
    ['never resolves', () => new Promise(() => {}), 'sink-stalled'],
  ]
  it.each(failing)('row 81: a sink that %s fails its reply alone', async (_, play, code) => {
    const { first, errors } = await turns(onceBy(play))
    expect(first).toMatchObject({ ending: 'failed', error: { code } })
    expect(errors).toMatchObject([{ code }])
  })

  const observer = (run: (told: Subscriber<unknown>) => void) => new Observable<unknown>(run)
  const playing: [what: string, play: () => unknown, reported: number][] = [
    ['promises an Observable', async () => of(finished), 0],
    [
      'returns something like an Observable',
      () => ({
        subscribe(told: Subscriber<unknown>) {
          told.next(finished)
          return () => {}
        },
      }),
      0,
    ],
    [
      'finishes within an async function',
      () =>
        observable(async (told: Subscriber<unknown>) => {
          await Promise.resolve()
          told.next(finished)
        }),
      0,
    ],
    ['says more after `finished`', () => says(finished, finished, undefined, { type: 'started' }), 0],
    [
      'errors after `finished`',
      () =>
        observer((told) => {
          told.next(finished)
          told.error(new Error('too late'))
        }),
      0,
    ],
    [
      'throws when it is silenced',
      () =>
        new Observable((told) => {
          told.next(finished)
          return fail
        }),
      1,
    ],
    [
      'rejects when it is silenced',
      () =>
        new Observable((told) => {
          told.next(finished)
          const silenced = (): unknown => Promise.reject(new Error('no device'))
          return silenced
        }),
      1,
    ],
    [
      'throws in a pipe when it is silenced',
      () =>
        new Observable((told) => {
          told.next(finished)
          return fail
        }).pipe((source) => source),
      1,
    ],
    [
      'rejects after `finished`',
      () =>
        observable(async (told: Subscriber<unknown>) => {
          told.next(finished)
          await Promise.resolve()
          fail()
        }),
      1,
    ],
  ]
  it.each(playing)('row 81: a sink that %s has played', async (_, play, reported) => {
    const { first, errors } = await turns(onceBy(play))
    expect(first).toMatchObject({ ending: 'finished', heard: 'It is noon.' })
    expect(errors).toHaveLength(reported)
  })
})

describe('what cannot be a sink', () => {
  it('row 81: is refused where it is given', async () => {
    const { service, conversation } = talk({ sink: null })
    const given: unknown[] = [{}, { play: 'loud' }, { play: () => of(), pause: true }, () => {}]
    for (const sink of given) {
      const speakTo: unknown = Reflect.get(conversation, 'speakTo')
      if (typeof speakTo !== 'function') throw new Error('speakTo is missing')
      expect(() => Reflect.apply(speakTo, conversation, [sink])).toThrow(/sink/u)
    }
    expect(conversation.speakTo({ play: () => of({ type: 'finished' }) }).closed).toBe(false)
    await service.close()
  })
})
