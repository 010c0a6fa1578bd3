import { EventEmitter } from 'node:events'
import { NEVER, Observable, Subject } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { LlmError } from '../../src/backends/contract.ts'
import { busFromEventEmitter, createEventBus, type EmitterLike, type EventBus } from '../../src/runtime/event-bus.ts'
import { talk } from '../runtime/harness.ts'
import { nothingEndsTheProcess } from '../support/nothing-ends-the-process.ts'

const { warnings } = nothingEndsTheProcess()

const fail = () => {
  throw new Error('a mistake of the program')
}
const unreadable = new Proxy({}, { get: fail, has: fail, getPrototypeOf: fail, ownKeys: fail })

/** What speech services have sent by mistake. */
const payloads = (): unknown[] => [
  undefined,
  null,
  'SPEECH_STARTED',
  5,
  [],
  Promise.reject(new Error('somebody forgot to wait for it')),
  { type: 'SPEECH_DETECTED' },
  { type: 'SPEECH_DETECTED', text: 5 },
  { type: 'SPEECH_DETECTED', text: 'hello', atMs: Number.NaN },
  { type: 'SPEECH_DETECTED', text: 'hello', conversationId: {} },
  { type: 'SPEECH_SUNG' },
  {
    get type() {
      return fail()
    },
  },
  {
    type: 'SPEECH_DETECTED',
    get text() {
      return fail()
    },
  },
  unreadable,
]

describe('what a speech source sends', () => {
  it('row 81: whatever it is that is no speech event, it is one error each and changes nothing', async () => {
    const { caller, conversation, clock, of: told, service } = talk()
    for (const payload of payloads()) Reflect.apply(caller.next.bind(caller), caller, [payload])
    expect(told('ERROR_OCCURRED').map(({ code }) => code)).toEqual(Array.from({ length: 14 }, () => 'bad-input'))
    expect(conversation.actor.getSnapshot().matches('idle')).toBe(true)
    caller.next({ type: 'SPEECH_DETECTED', text: 'hello' })
    await clock.runUntilIdle()
    expect(told('RESPONSE_FINISHED')).toHaveLength(1)
    await service.close()
  })

  const broken: [what: string, source: () => unknown, code: string | undefined][] = [
    ['errors', () => new Observable((speech) => speech.error(undefined)), 'speech-source'],
    ['errors with something unreadable', () => new Observable((speech) => speech.error(unreadable)), 'speech-source'],
    ['throws in subscribe', () => ({ subscribe: fail }), 'speech-source'],
    ['rejects in subscribe', () => Reflect.construct(Observable, [async () => fail()]), 'speech-source'],
    ['throws when it is left', () => new Observable(() => fail), undefined],
    ['rejects when it is left', () => new Observable(() => async () => fail()), undefined],
  ]
  it.each(broken)('row 81: one that %s is an event, and another is heard', async (_, source, code) => {
    const { conversation, caller, clock, of: told, service } = talk()
    const listenTo: unknown = Reflect.get(conversation, 'listenTo')
    if (typeof listenTo !== 'function') throw new Error('listenTo is missing')
    Reflect.apply(listenTo, conversation, [source()])
    await clock.settle()
    expect(told('ERROR_OCCURRED').map((event) => event.code)).toEqual(code === undefined ? [] : [code])
    caller.next({ type: 'SPEECH_DETECTED', text: 'hello' })
    await clock.runUntilIdle()
    expect(told('RESPONSE_FINISHED')).toHaveLength(1)
    await service.close()
    expect(conversation.actor.getSnapshot().status).toBe('stopped')
    expect(warnings()).toHaveLength(code === undefined ? 1 : 0)
  })

  it('row 81: what is no stream is refused where it is given', async () => {
    const { conversation, service } = talk()
    for (const source of [undefined, null, 'microphone', [], {}]) {
      const listenTo: unknown = Reflect.get(conversation, 'listenTo')
      if (typeof listenTo !== 'function') throw new Error('listenTo is missing')
      expect(() => Reflect.apply(listenTo, conversation, [source])).toThrow(LlmError)
    }
    await service.close()
  })
})

describe('what a bus does', () => {
  it('row 81: events that are none are one error each, also of an emitter', async () => {
    const emitter = new EventEmitter()
    for (const [bus, publish] of [
      [createEventBus(), undefined],
      [busFromEventEmitter(emitter), (payload: unknown) => emitter.emit('SPEECH_DETECTED', payload)],
    ] as const) {
      const speech = new Subject<unknown>()
      const on = (type: string) => (publish === undefined && type === 'SPEECH_DETECTED' ? speech : bus.on(type))
      const { service, clock, of: told } = talk({ options: { bus: { publish: () => {}, on } } })
      await service.initialize()
      for (const payload of payloads()) (publish ?? ((one) => speech.next(one)))(payload)
      const errors = told('ERROR_OCCURRED')
      expect(errors.map(({ code }) => code)).toEqual(Array.from({ length: 14 }, () => 'bad-input'))
      await clock.runUntilIdle()
      await service.close()
    }
  })

  it('row 81: one that errors is told and can be listened to again', async () => {
    const speech = [new Subject<unknown>(), new Subject<unknown>()]
    let opened = -1
    const bus: EventBus = {
      publish: () => {},
      on: (type) => (type === 'SPEECH_DETECTED' ? (speech[(opened += 1)] ?? NEVER) : NEVER),
    }
    const { service, clock, of: told } = talk({ options: { bus } })
    await service.initialize()
    speech[0]?.error(new Error('the broker is down'))
    expect(told('ERROR_OCCURRED')).toMatchObject([{ code: 'speech-source' }])
    await service.initialize()
    speech[1]?.next({ type: 'SPEECH_DETECTED', text: 'hello' })
    await clock.runUntilIdle()
    expect(told('RESPONSE_FINISHED')).toHaveLength(1)
    await service.close()
  })

  it('row 81: one that cannot be left is left all the same, and the service closes', async () => {
    const bus: EventBus = { publish: () => {}, on: () => new Observable(() => fail) }
    const { service, conversation } = talk({ options: { bus } })
    await service.initialize()
    await service.close()
    expect(conversation.actor.getSnapshot().status).toBe('stopped')
    expect(warnings()).not.toEqual([])
  })

  const emitters: [what: string, emitter: EmitterLike][] = [
    ['rejects in emit', { emit: async () => fail(), on: () => {}, off: () => {} }],
    ['throws in emit', { emit: fail, on: () => {}, off: () => {} }],
    ['rejects in on', { emit: () => {}, on: async () => fail(), off: () => {} }],
    ['rejects in off', { emit: () => {}, on: () => {}, off: async () => fail() }],
    ['throws in off', { emit: () => {}, on: () => {}, off: fail }],
  ]
  it.each(emitters)('row 81: an emitter that %s is reported, and turns go on', async (_, emitter) => {
    const { service, conversation, clock, of: told } = talk({ options: { bus: busFromEventEmitter(emitter) } })
    await service.initialize()
    const asked = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await asked).toMatchObject({ ending: 'finished' })
    await service.close()
    await clock.settle()
    expect([...warnings(), ...told('ERROR_OCCURRED')]).not.toEqual([])
  })

  it('row 81: a subscriber that throws or rejects is a warning, and the others hear', async () => {
    const bus = createEventBus()
    const heard: unknown[] = []
    bus.on('NEWS').subscribe(fail)
    const rejects = (): unknown => Promise.reject(new Error('a mistake of the program'))
    bus.on('NEWS').subscribe(rejects)
    bus.on('NEWS').subscribe((event) => heard.push(event))
    bus.publish({ type: 'NEWS' })
    bus.publish({ type: 'OTHER' })
    await Promise.resolve()
    expect(heard).toEqual([{ type: 'NEWS' }])
    expect(warnings()).toHaveLength(2)
  })

  it('row 81: a subscriber of a service or a reply that rejects is reported once until it works', async () => {
    const warned: string[] = []
    const log = (_: object, message: string) => void warned.push(message)
    const { service, conversation, clock, events } = talk({
      options: { logger: { debug: log, info: log, warn: log, error: log } },
    })
    let isBroken = true
    const display = (): unknown => (isBroken ? Promise.reject(new Error('no screen')) : undefined)
    for (const stream of [service.events, conversation.events, conversation.deltas, conversation.segments]) {
      const observed: Observable<unknown> = stream
      observed.subscribe(display)
    }
    const asked = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await asked).toMatchObject({ ending: 'finished' })
    expect(events.length).toBeGreaterThan(4)
    expect(warned).toEqual(Array.from({ length: 4 }, () => 'a subscriber failed; the rest goes on'))
    isBroken = false
    const fine = conversation.ask('hello')
    await clock.runUntilIdle()
    await fine
    isBroken = true
    const again = conversation.ask('hello')
    await clock.runUntilIdle()
    await again
    expect(warned).toHaveLength(8)
    await service.close()
  })
})

it('row 81: a bus that is none is refused with a word of what it needs', () => {
  for (const bus of [5, {}, { publish: () => {} }, new EventEmitter()]) {
    const options: object = { bus }
    expect(() => talk({ options })).toThrow(/bus must have the methods publish and on/u)
  }
})
