import { createActor, createMachine, fromCallback, type InspectionEvent } from 'xstate'
import { describe, expect, it } from 'vitest'
import { createBoundedLog } from '../../src/inspection/bounded-log.ts'
import { chartOf } from '../../src/inspection/chart-of.ts'
import { createRecorder, recorderLimits, type RecorderLimits } from '../../src/inspection/recorder.ts'
import { toShown, withoutWords } from '../../src/inspection/to-shown.ts'
import { conversationMachine } from '../../machines/index.ts'
import { virtualClock } from '../../src/testing/index.ts'

const child = fromCallback(() => {})
const machine = createMachine({
  id: 'door',
  initial: 'shut',
  states: {
    shut: { on: { OPENED: 'open' } },
    open: { description: 'One may pass.', invoke: { src: child, id: 'guest' }, on: { SHUT: 'shut' } },
    gone: { type: 'final' },
  },
  on: { TORN_DOWN: '.gone' },
})

function recording(limits: Partial<RecorderLimits> = {}, isWatched = () => true) {
  let changes = 0
  const recorder = createRecorder({
    clock: virtualClock(),
    limits: { ...recorderLimits, ...limits },
    isWatched,
    changed: () => (changes += 1),
  })
  const door = () => createActor(machine, { inspect: (event: InspectionEvent) => recorder.record(event) }).start()
  return { recorder, door, changes: () => changes }
}

describe('what is kept', () => {
  it('entries are kept up to their number, the newest, and it is said how many were forgotten', () => {
    const { recorder, door } = recording({ entries: 10 })
    const one = door()
    for (let round = 0; round < 50; round += 1) one.send({ type: round % 2 === 0 ? 'OPENED' : 'SHUT' })
    const hello = recorder.hello()
    expect(hello.entries).toHaveLength(10)
    const [first] = hello.entries
    expect(hello).toMatchObject({ forgotten: (first?.seq ?? 0) - 1 })
  })

  it('a log keeps within its characters too, but always the newest entry', () => {
    const log = createBoundedLog<number>({ entries: 100, chars: 10 })
    for (let one = 1; one <= 5; one += 1) log.add(one, 4)
    expect(log.all()).toEqual([4, 5])
    log.add(6, 1_000)
    expect(log.all()).toEqual([6])
    expect(log.newest(5)).toEqual([6])
    expect(log.forgotten).toBe(5)
  })

  it('of ended actors a few are kept, and living ones stay', () => {
    const { recorder, door } = recording({ endedActors: 3 })
    const living = door()
    for (let round = 0; round < 20; round += 1) door().send({ type: 'TORN_DOWN' })
    const { actors } = recorder.hello()
    expect(actors.map(({ status }) => status)).toEqual(['active', 'done', 'done', 'done'])
    expect(actors[0]).toMatchObject({ key: 1, active: ['door', 'door.shut'] })
    living.stop()
  })

  it('with more living actors than are kept the oldest goes, and comes back with its next event', () => {
    const { recorder, door } = recording({ actors: 2 })
    const [first, , third] = [door(), door(), door()]
    expect(recorder.hello().actors.map(({ key }) => key)).toEqual([2, 3])
    first.send({ type: 'OPENED' })
    expect(recorder.hello().actors).toContainEqual(expect.objectContaining({ active: ['door', 'door.open'] }))
    third.stop()
  })

  it('an actor that is stopped before it was started is known to have ended', () => {
    const passing = createMachine({
      initial: 'here',
      states: { here: { invoke: { src: child, id: 'guest' }, always: 'there' }, there: {} },
    })
    const { recorder } = recording()
    createActor(passing, { inspect: (event) => recorder.record(event) }).start()
    expect(recorder.hello().actors).toMatchObject([
      { kind: 'machine', status: 'active' },
      { id: 'guest', parent: 1, status: 'stopped' },
    ])
  })

  it('actors of one machine share its chart, also when each is provided anew', () => {
    const { recorder } = recording()
    for (let round = 0; round < 3; round += 1) {
      createActor(machine.provide({}), { inspect: (event) => recorder.record(event) }).start()
    }
    expect(Object.keys(recorder.hello().charts)).toEqual(['door'])
  })

  it('while nobody looks nothing is prepared; who joins then gets everything', () => {
    let isWatched = false
    const { recorder, door, changes } = recording({}, () => isWatched)
    door().send({ type: 'OPENED' })
    expect(changes()).toBe(0)
    expect(recorder.takeBatch()).toBeUndefined()
    isWatched = true
    expect(recorder.hello().entries.length).toBeGreaterThan(3)
  })
})

describe('what is told', () => {
  it('the transition that was taken, with where it led', () => {
    const { recorder, door } = recording()
    door().send({ type: 'OPENED' })
    expect(recorder.hello().entries).toContainEqual(
      expect.objectContaining({ kind: 'step', on: 'OPENED', source: 'door.shut', targets: ['door.open'] }),
    )
  })

  it('a chart has every state with its description, tags and transitions', () => {
    const chart = chartOf(conversationMachine)
    expect(chart.states.map(({ key }) => key)).toEqual([
      'idle',
      'detecting',
      'generating',
      'responding',
      'error',
      'stopped',
    ])
    const generating = chart.states.find(({ key }) => key === 'generating')
    expect(generating?.description).toContain('no segment has reached the sink')
    expect(generating?.tags).toEqual(['interruptible'])
    expect(generating?.transitions).toContainEqual({
      on: 'REPLY_FAILED',
      label: 'REPLY_FAILED',
      guard: 'isFromReply',
      targets: ['conversation.error'],
      actions: ['tellFailed'],
    })
    const labels = JSON.stringify(chart)
    expect(labels).toContain('"label":"after falseAfterMs"')
    expect(labels).toContain('"label":"always"')
  })
})

describe('what may be shown', () => {
  const event = (payload: unknown) => ({ kind: 'event' as const, actor: 'a', type: 'NEWS_CAME', payload })

  it('nothing that is named like a secret, however deep', () => {
    const shown = toShown(
      event({ options: { apiKey: 'sk-1', headers: { Authorization: 'Bearer sk-2' } } }),
      undefined,
      999,
    )
    expect(shown).not.toContain('sk-')
    expect(shown).toContain('(secret)')
  })

  it('a payload that cannot be told is withheld and breaks nothing', () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    expect(toShown(event(cycle), undefined, 999)).toContain('withheld: TypeError')
    expect(toShown(event({ f() {}, n: 1n, e: new RangeError('no') }), undefined, 999)).toContain('RangeError')
  })

  it('a long payload is cut and stays readable JSON', () => {
    const shown = toShown(event({ text: 'x'.repeat(10_000) }), undefined, 100)
    expect(shown.length).toBeLessThan(200)
    expect(JSON.parse(shown)).toContain('characters)')
  })

  it('withoutWords leaves structure and lengths', () => {
    const shown = withoutWords(event({ text: 'hello', said: { finals: ['one two'] }, replyId: 'reply-1', index: 0 }))
    expect(shown).toEqual({
      text: '(5 characters)',
      said: { finals: ['(7 characters)'] },
      replyId: 'reply-1',
      index: 0,
    })
    const called = { call: { id: 'c1', name: 'dial', arguments: { digits: 4711, to: ['home'] } }, result: 'busy' }
    expect(withoutWords(event(called))).toEqual({
      call: { id: 'c1', name: 'dial', arguments: { digits: '(a number)', to: ['(4 characters)'] } },
      result: '(4 characters)',
    })
  })
})
