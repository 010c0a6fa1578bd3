import { map, Subject, type Observable } from 'rxjs'
import { describe, expect, it, vi } from 'vitest'
import type { SpeechEvent } from '../../machines/vocabulary.ts'
import type { LlmServiceOptions } from '../../src/runtime/options.ts'
import { cueSink } from './cue-sink.ts'
import { quiet } from './resources.ts'
import { stage } from './support.ts'

const broken = () => {
  throw new Error('a mistake of the program')
}

describe('something of the program throws', () => {
  const streams = ['events', 'deltas', 'segments'] as const
  it.each(streams)(
    'row 55: a subscriber of %s that throws is isolated and reported; the others hear everything',
    async (name) => {
      const { ask, conversation, logged, settles } = await stage({ replies: [{ text: 'It is noon. Enjoy it.' }] })
      const heard: unknown[] = []
      const stream: Observable<unknown> = conversation[name]
      stream.subscribe(broken)
      stream.pipe(map((value) => value)).subscribe({ next: broken })
      stream.pipe(map(broken)).subscribe()
      stream.subscribe((value) => heard.push(value))
      expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon. Enjoy it.' })
      expect(heard.length).toBeGreaterThan(1)
      expect(logged).toContainEqual([
        { error: 'Error: a mistake of the program' },
        'a subscriber failed; the rest goes on',
      ])
      await settles()
    },
  )

  it('row 55: a subscriber of the service that throws is isolated, for replies outside conversations too', async () => {
    const { ask, service, logged, settles } = await stage({ replies: [{ text: 'It is noon.' }] })
    service.events.subscribe(broken)
    const reply = service.generate('what time is it')
    reply.deltas.subscribe(broken)
    reply.segments.subscribe(broken)
    expect(await reply.result).toMatchObject({ ok: true, text: 'It is noon.' })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon.' })
    expect(logged.length).toBeGreaterThan(2)
    await settles()
  })

  it('row 55: a sink that throws in prepare, pause or resume is reported, and the reply plays on', async () => {
    const able = cueSink()
    const { ask, of, caller, clock, logged, conversation, settles } = await stage({
      options: { sink: { ...able, play: able.play, prepare: broken, pause: broken, resume: broken } },
      replies: [{ text: 'It is noon. Enjoy it. Really.' }],
    })
    const outcome = ask()
    await quiet(() => of('RESPONSE_GENERATED').length === 1)
    caller.next({ type: 'SPEECH_STARTED' })
    clock.wind(500)
    caller.next({ type: 'SPEECH_ENDED' })
    clock.wind(2_000)
    const playing = conversation.segments.subscribe(
      () => void Promise.resolve().then(() => able.says({ type: 'finished' })),
    )
    able.says({ type: 'finished' })
    expect(await outcome).toMatchObject({ ending: 'finished', heard: 'It is noon. Enjoy it. Really.' })
    // the voice brought no words: it is forgotten after endpointing.maxDelayMs
    clock.wind(3_000)
    const told = JSON.stringify(logged)
    for (const hook of ['prepare', 'pause']) expect(told).toContain(`The speech sink failed in ${hook}`)
    await settles()
    playing.unsubscribe()
  })

  const hooks: [what: string, options: LlmServiceOptions][] = [
    ['an inspector', { inspect: broken }],
    ['a logger', { logger: { debug: broken, info: broken, warn: broken, error: broken }, inspect: broken }],
    ['an endpoint detector', { endpointing: { detector: broken } }],
    ['an endpoint detector, later,', { endpointing: { detector: async () => broken() } }],
    ['an ambient policy', { ambient: { policy: broken } }],
    ['a source of facts', { context: { facts: broken } }],
    ['a token counter', { countTokens: broken }],
  ]
  it.each(hooks)('row 55: %s that throws is isolated, and the actor lives on', async (_, options) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { caller, conversation, of, settles } = await stage({ options, replies: [{ text: 'It is noon.' }] })
    conversation.events.subscribe(broken)
    caller.next({ type: 'AMBIENT_SPEECH_DETECTED', text: 'somebody mutters' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'what time is it' })
    await quiet(() => of('RESPONSE_FINISHED').length === 1)
    expect(conversation.actor.getSnapshot().status).toBe('active')
    await settles()
    warned.mockRestore()
  })

  it('row 55: a bus that throws or breaks is reported, and a conversation too many is told, not thrown', async () => {
    const speech = new Subject<SpeechEvent>()
    const { service, of, logged, ask, settles } = await stage({
      options: {
        bus: {
          publish: broken,
          on: (type: string) => (type === 'SPEECH_DETECTED' ? speech : new Subject<SpeechEvent>()),
        },
        limits: { conversations: 1 },
      },
      replies: [{ text: 'It is noon.' }],
    })
    await service.initialize()
    speech.next({ type: 'SPEECH_DETECTED', text: 'hello', conversationId: 'one too many' })
    expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'overloaded', conversationId: 'service' }])
    speech.error(new Error('the bus is down'))
    expect(of('ERROR_OCCURRED').at(-1)).toMatchObject({ code: 'speech-source' })
    expect(await ask()).toMatchObject({ ending: 'finished' })
    expect(JSON.stringify(logged)).toContain('the event bus failed in publish')
    await settles()
  })

  it('row 55: a speech source that errors is an event, and the conversation lives on', async () => {
    const { conversation, of, settles } = await stage()
    const speech = new Subject<SpeechEvent>()
    conversation.listenTo(speech)
    speech.error(new Error('no microphone'))
    expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'speech-source', recoverable: true }])
    await settles()
  })
})

describe('cache and time', () => {
  const deterministic: LlmServiceOptions = {
    cache: { enabled: true, scope: 'utterance' },
    generation: { temperature: 0 },
  }

  it.each([
    ['rejects', async () => broken()],
    ['throws', broken],
  ])('row 56: a cache read that %s is a miss', async (_, get) => {
    const { ask, asked, of, settles } = await stage({
      options: { ...deterministic, cacheStore: { get, set: async () => {} } },
      replies: [{ text: 'It is noon.' }],
    })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon.', model: 'm1' })
    expect(asked()).toEqual(['m1'])
    expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'store', conversationId: 'service' }])
    await settles()
  })

  it.each([
    ['rejects', async () => broken()],
    ['throws', broken],
  ])('row 57: a cache write that %s is reported, and the turn goes on', async (_, set) => {
    const { ask, of, settles } = await stage({
      options: { ...deterministic, cacheStore: { get: async () => undefined, set } },
      replies: [{ text: 'It is noon.' }],
    })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon.' })
    expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'store', conversationId: 'service', recoverable: true }])
    await settles()
  })

  it('row 60: a jump of the wall clock, forwards or back, changes nothing', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const { ask, one, of, clock, settles } = await stage({
        replies: [{ deltas: ['It is noon.', ' Enjoy it.'], hold: 1 }],
      })
      const outcome = ask()
      await one.requested(0)
      const before = clock.now()
      vi.setSystemTime(new Date('2099-01-01T00:00:00Z'))
      one.release(0)
      expect(await outcome).toMatchObject({ ending: 'finished', heard: 'It is noon. Enjoy it.' })
      vi.setSystemTime(new Date('1999-01-01T00:00:00Z'))
      const [finished] = of('RESPONSE_FINISHED')
      expect((finished?.atMs ?? 0) - before).toBeLessThan(20_000)
      expect(finished?.timings.totalMs).toBeLessThan(20_000)
      await settles()
    } finally {
      vi.useRealTimers()
    }
  })
})
