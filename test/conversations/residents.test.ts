import { Subject } from 'rxjs'
import { describe, expect, test } from 'vitest'
import type { ServiceEvent, SpeechEvent } from '../../machines/vocabulary.ts'
import type { LlmServiceOptions } from '../../src/runtime/options.ts'
import { createEventBus } from '../../src/runtime/event-bus.ts'
import { createLlmService } from '../../src/runtime/service.ts'
import { scriptedBackend, scriptedSink, scriptedStore, virtualClock } from '../../src/testing/index.ts'

/** A service on virtual time, with everything that it says. */
function house(options: LlmServiceOptions = {}, text = 'Here I am.') {
  const clock = virtualClock()
  const backend = scriptedBackend({ replies: [{ text }] }, clock)
  const bus = createEventBus()
  const service = createLlmService({
    clock,
    backend,
    bus,
    defaultModel: 'm1',
    speculation: { enabled: false },
    ...options,
  })
  const events: ServiceEvent[] = []
  service.events.subscribe((event) => events.push(event))
  const live = () => {
    let ids: string[] = []
    service.conversations.subscribe((lines) => (ids = lines.map(({ id }) => id))).unsubscribe()
    return ids
  }
  const closed = () =>
    events.flatMap((event) => (event.type === 'CONVERSATION_CLOSED' ? [[event.conversationId, event.reason]] : []))
  return { clock, backend, bus, service, events, live, closed }
}

describe('a conversation that was stopped', () => {
  test('is gone from memory, and whoever asks for it opens it anew', async () => {
    const { clock, service, live, closed, events } = house()
    const conversation = service.conversation('kitchen')
    await conversation.stop()
    expect([live(), closed()]).toEqual([[], [['kitchen', 'stopped']]])
    const asked = conversation.ask('Anybody there?')
    await clock.runUntilIdle()
    expect(await asked).toMatchObject({ ending: 'finished', heard: 'Here I am.' })
    expect(events.filter(({ type }) => type === 'CONVERSATION_OPENED')).toHaveLength(2)
    expect(live()).toEqual(['kitchen'])
    await service.close()
  })

  test('is spoken to again on the bus after one SYSTEM_STOPPED for all', async () => {
    const { bus, clock, service, events } = house()
    await service.initialize()
    bus.publish({ type: 'SPEECH_DETECTED', text: 'hello' })
    await clock.runUntilIdle()
    bus.publish({ type: 'SYSTEM_STOPPED' })
    await clock.settle()
    events.length = 0
    bus.publish({ type: 'SPEECH_DETECTED', text: 'hello again' })
    await clock.runUntilIdle()
    expect(events.map(({ type }) => type)).toContain('RESPONSE_FINISHED')
    await service.close()
  })

  test('what belongs to the stretch that the stop cut opens nothing; the next voice does', async () => {
    const { bus, clock, service, live } = house()
    await service.initialize()
    bus.publish({ type: 'SPEECH_STARTED' })
    bus.publish({ type: 'SPEECH_PARTIAL', text: 'turn' })
    bus.publish({ type: 'SYSTEM_STOPPED' })
    await clock.settle()
    for (const late of [
      { type: 'SPEECH_PARTIAL', text: 'turn on' },
      { type: 'SPEECH_ENDED' },
      { type: 'SPEECH_DETECTED', text: 'turn on the light' },
    ])
      bus.publish(late)
    expect(live()).toEqual([])
    bus.publish({ type: 'SPEECH_STARTED' })
    expect(live()).toEqual(['default'])
    await service.close()
  })

  test('a SYSTEM_STOPPED or an ended voice for an absent id opens nothing', async () => {
    const { bus, service, live } = house()
    await service.initialize()
    bus.publish({ type: 'SYSTEM_STOPPED', conversationId: 'nobody' })
    bus.publish({ type: 'SPEECH_ENDED', conversationId: 'nobody' })
    expect(live()).toEqual([])
    await service.close()
  })
})

describe('idle conversations', () => {
  test('leave by themselves after limits.idleMs, each in its time', async () => {
    const { clock, service, live, closed } = house({ limits: { idleMs: 60_000 } })
    service.conversation('a')
    await clock.advanceTo(30_000)
    service.conversation('b')
    await clock.advanceTo(60_001)
    expect([live(), closed()]).toEqual([['b'], [['a', 'idle']]])
    await clock.advanceTo(90_001)
    expect(live()).toEqual([])
    expect(clock.pending).toBe(0)
    await service.close()
  })

  test('a turn begins the time anew', async () => {
    const { clock, service, live } = house({ limits: { idleMs: 60_000 } })
    const conversation = service.conversation('a')
    await clock.advanceTo(50_000)
    void conversation.ask('hello')
    await clock.advanceTo(100_000)
    expect(live()).toEqual(['a'])
    await service.close()
  })

  test('one that something listens to or speaks for is not idle', async () => {
    const { clock, service, live } = house({ limits: { idleMs: 1_000 } })
    const ear = service.conversation('ear').listenTo(new Subject<SpeechEvent>())
    const mouth = service.conversation('mouth').speakTo(scriptedSink({}, clock))
    await clock.advanceTo(5_000)
    expect(live()).toEqual(['ear', 'mouth'])
    ear.unsubscribe()
    mouth.unsubscribe()
    await clock.advanceTo(6_001)
    expect(live()).toEqual([])
    await service.close()
  })

  test('the one idle longest makes room; only when none is idle a new one is refused', async () => {
    const { clock, service, live, closed } = house({ limits: { conversations: 2 } }, 'A long answer to your question.')
    service.conversation('a')
    await clock.advanceTo(10)
    service.conversation('b')
    const again = service.conversation('a').ask('hello')
    await clock.runUntilIdle()
    await again
    service.conversation('c')
    expect([live(), closed()]).toEqual([['a', 'c'], [['b', 'evicted']]])
    for (const id of ['a', 'c']) void service.conversation(id).ask('hello')
    await clock.advanceTo(clock.now() + 1)
    expect(() => service.conversation('d')).toThrow(expect.objectContaining({ code: 'overloaded' }))
    await service.close()
  })
})

describe('a conversation that is closed', () => {
  test('ends what it says as left, and with a store goes on where it was', async () => {
    const store = scriptedStore()
    const sink = (clock: ReturnType<typeof virtualClock>) => scriptedSink({}, clock)
    const { clock, service, events, closed } = house({ store })
    const conversation = service.conversation('a')
    conversation.speakTo(sink(clock))
    const asked = conversation.ask('hello')
    await clock.advanceTo(600)
    await conversation.close()
    expect(await asked).toMatchObject({ ending: 'interrupted' })
    expect(events).toContainEqual(expect.objectContaining({ type: 'RESPONSE_INTERRUPTED', reason: 'left' }))
    expect(closed()).toEqual([['a', 'left']])
    const before = conversation.history
    const back = service.conversation('a')
    await back.ready
    expect(back.history).toEqual(before)
    expect(back.history.length).toBeGreaterThan(0)
    await service.close()
  })

  test('without a store its older turns are forgotten', async () => {
    const { clock, service } = house()
    const conversation = service.conversation('a')
    void conversation.ask('hello')
    await clock.runUntilIdle()
    await conversation.close()
    expect(service.conversation('a').history).toEqual([])
    await service.close()
  })

  test('whoever wants it while its last lines are written gets its next life, after them', async () => {
    const store = scriptedStore()
    const { clock, service } = house({ store })
    const conversation = service.conversation('a')
    void conversation.ask('one')
    await clock.runUntilIdle()
    store.hold()
    const asked = conversation.ask('two')
    await clock.runUntilIdle()
    const left = conversation.close()
    const next = service.conversation('a').ask('three')
    store.release()
    await left
    await clock.runUntilIdle()
    await Promise.all([asked, next])
    expect(service.conversation('a').history.flatMap(({ role, text }) => (role === 'user' ? [text] : []))).toEqual([
      'one',
      'two',
      'three',
    ])
    await service.close()
  })
})

describe('settings of its own', () => {
  test('settingsOf is asked whenever an id opens without settings', async () => {
    const asked: string[] = []
    const { bus, clock, backend, service } = house({
      settingsOf: (id) => (asked.push(id), { systemPrompt: `You are in the ${id}.` }),
    })
    await service.initialize()
    bus.publish({ type: 'SPEECH_DETECTED', text: 'hello', conversationId: 'kitchen' })
    await clock.runUntilIdle()
    expect(asked).toEqual(['kitchen'])
    expect(backend.requests[0]?.messages[0]).toEqual({ role: 'system', content: 'You are in the kitchen.' })
    await service.close()
  })

  test('configure counts from the next reply on, keeps history and says what changed', async () => {
    const { clock, backend, service, events } = house()
    const conversation = service.conversation('a', { systemPrompt: 'Be brief.' })
    void conversation.ask('one')
    await clock.advanceTo(1)
    conversation.configure({ systemPrompt: 'Be long.', endpointing: { minDelayMs: 100 } })
    await clock.runUntilIdle()
    void conversation.ask('two')
    await clock.runUntilIdle()
    const prompts = backend.requests.map(({ messages }) => messages.map(({ content }) => content))
    expect(prompts[0]?.[0]).toBe('Be brief.')
    expect(prompts.at(-1)).toEqual(['Be long.', 'one', 'Here I am.', 'two'])
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'CONVERSATION_CONFIGURED', settings: ['systemPrompt', 'endpointing'] }),
    )
    await service.close()
  })

  test.each([
    [{ sytemPrompt: 'x' }, /unknown key sytemPrompt.*did you mean systemPrompt/],
    [{ baseUrl: 'http://x' }, /unknown key baseUrl/],
    [{ endpointing: { minDelayMs: -1 } }, /endpointing\.minDelayMs must be/],
    [{ endpointing: { minDelay: 1 } }, /unknown key endpointing\.minDelay; did you mean minDelayMs/],
    [{ tools: [] }, /tools must be an object/],
  ])('%j is refused in one line, and changes nothing', async (wrong: object, message) => {
    const { service, live } = house()
    expect(() => service.conversation('a', wrong)).toThrow(message)
    expect(live()).toEqual([])
    expect(() => service.conversation('b').configure(wrong)).toThrow(message)
    await service.close()
  })

  test('history is for a conversation that begins', async () => {
    const { service } = house()
    const conversation = service.conversation('a', { history: [{ role: 'user', text: 'hello' }] })
    expect(conversation.history).toMatchObject([{ text: 'hello' }])
    const later: object = { history: [] }
    expect(() => conversation.configure(later)).toThrow('history is for a conversation that begins')
    await service.close()
  })
})

describe('a service that drains', () => {
  test('lets running turns end, takes no new ones, and closes', async () => {
    const { clock, service, events, live } = house()
    const sink = scriptedSink({}, clock)
    const running = service.conversation('a')
    running.speakTo(sink)
    service.conversation('idle')
    const asked = running.ask('hello')
    await clock.advanceTo(100)
    const drained = service.drain()
    expect(live()).toEqual(['a'])
    await expect(running.ask('more')).rejects.toMatchObject({ code: 'overloaded' })
    expect(() => service.conversation('new')).toThrow(expect.objectContaining({ code: 'overloaded' }))
    expect(() => service.generate('hello')).toThrow(expect.objectContaining({ code: 'overloaded' }))
    await clock.runUntilIdle()
    await drained
    expect(await asked).toMatchObject({ ending: 'finished', heard: 'Here I am.' })
    expect(events.filter(({ type }) => type === 'RESPONSE_INTERRUPTED')).toEqual([])
    expect(clock.pending).toBe(0)
  })

  test('cuts what is not over after the grace time', async () => {
    const { clock, service, events } = house({}, 'One two three four five six seven eight nine ten eleven twelve.')
    const conversation = service.conversation('a')
    conversation.speakTo(scriptedSink({}, clock))
    const asked = conversation.ask('count')
    await clock.advanceTo(600)
    const drained = service.drain(1_000)
    await clock.advanceTo(1_700)
    await drained
    expect(await asked).toMatchObject({ ending: 'interrupted' })
    expect(events).toContainEqual(expect.objectContaining({ type: 'RESPONSE_INTERRUPTED', reason: 'left' }))
  })
})
