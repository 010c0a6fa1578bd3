import { describe, expect, it } from 'vitest'
import type { BackendEnd, BackendRecord } from '../../src/backends/contract.ts'
import { cueSink } from './cue-sink.ts'
import { quiet } from './resources.ts'
import { stage } from './support.ts'

const endings = new Set(['RESPONSE_FINISHED', 'RESPONSE_INTERRUPTED', 'ERROR_OCCURRED'])
const soon = () => new Promise<void>((resolve) => void setImmediate(resolve))

describe('the caller changes their mind', () => {
  it('row 50: a barge-in before the first byte closes the socket, and leaves no assistant entry', async () => {
    const { one, caller, of, history, settles } = await stage({
      replies: [{ hold: 'headers' }, { text: 'Two it is.' }],
    })
    caller.next({ type: 'SPEECH_DETECTED', text: 'one please' })
    await one.requested(0)
    caller.next({ type: 'SPEECH_DETECTED', text: 'no make it two' })
    expect(await one.closed(0)).toMatchObject({ closedEarly: true })
    await quiet(() => of('RESPONSE_FINISHED').length === 1)
    expect(of('RESPONSE_INTERRUPTED')).toMatchObject([{ heard: '', reason: 'barge-in' }])
    expect(history()).toEqual([
      ['user', 'one please'],
      ['user', 'no make it two'],
      ['assistant', 'Two it is.'],
    ])
    await settles()
  })

  it('row 51: a barge-in in mid-speech keeps the heard text only, and closes the socket', async () => {
    const sink = cueSink()
    const { one, caller, of, history, settles } = await stage({
      options: { sink },
      replies: [{ deltas: ['One two three four. And', ' more.'], hold: 1 }, { text: 'Fine.' }],
    })
    caller.next({ type: 'SPEECH_DETECTED', text: 'count please' })
    await quiet(() => sink.isPlaying)
    sink.says({ type: 'started' }, { type: 'progressed', chars: 'One two th'.length })
    caller.next({ type: 'SPEECH_DETECTED', text: 'that will do' })
    expect(sink.isPlaying).toBe(false)
    expect(of('RESPONSE_INTERRUPTED')).toMatchObject([{ heard: 'One two', reason: 'barge-in' }])
    expect(await one.closed(0)).toMatchObject({ closedEarly: true })
    await quiet(() => sink.isPlaying)
    sink.says({ type: 'finished' })
    await quiet(() => of('RESPONSE_FINISHED').length === 1)
    expect(history()).toEqual([
      ['user', 'count please'],
      ['assistant', 'One two', 'cut'],
      ['user', 'that will do'],
      ['assistant', 'Fine.'],
    ])
    const finishing = of('CALLER_TURN_ENDED').length
    void quiet(() => of('CALLER_TURN_ENDED').length > finishing && sink.isPlaying).then(() =>
      sink.says({ type: 'finished' }),
    )
    await settles()
  })

  it('row 52: what a server still sends of an older turn is dropped', async () => {
    const { one, caller, conversation, of, settles } = await stage({
      replies: [{ deltas: ['Old', ' words.'], hold: 1 }, { text: 'New words.' }],
    })
    const deltas: string[] = []
    conversation.deltas.subscribe(({ text }) => deltas.push(text))
    caller.next({ type: 'SPEECH_DETECTED', text: 'tell me' })
    await quiet(() => deltas.length === 1)
    caller.next({ type: 'SPEECH_DETECTED', text: 'something new' })
    one.release(0)
    await quiet(() => of('RESPONSE_FINISHED').length === 1)
    expect(deltas).toEqual(['Old', 'New', ' words.'])
    await settles()
  })

  it('row 52: a backend that speaks on after its abort is not heard, whatever it says', async () => {
    const streams: { on: (record: BackendRecord) => void; end: (end: BackendEnd) => void }[] = []
    const { caller, conversation, events, of, history, leaves } = await stage({
      options: {
        backend: {
          name: 'scripted',
          origin: 'scripted',
          canAbortPrompt: true,
          models: async () => [{ name: 'm1', loaded: true }],
          describe: async () => ({ name: 'm1', contextTokens: 4_096 }),
          // deaf to its signal
          stream: (_, on) => new Promise((end) => void streams.push({ on, end })),
        },
      },
    })
    const deltas: string[] = []
    conversation.deltas.subscribe(({ text }) => deltas.push(text))
    const end: BackendEnd = { model: 'm1', finishReason: 'stop', usage: {} }
    caller.next({ type: 'SPEECH_DETECTED', text: 'tell me' })
    await quiet(() => streams.length === 1)
    caller.next({ type: 'SPEECH_DETECTED', text: 'something new' })
    await quiet(() => streams.length === 2)
    const before = events.length
    streams[0]?.on({ type: 'connected' })
    streams[0]?.on({ type: 'delta', kind: 'text', text: 'Old words. And more.' })
    streams[0]?.end(end)
    await soon()
    expect([deltas, events.length]).toEqual([[], before])
    streams[1]?.on({ type: 'delta', kind: 'text', text: 'New words.' })
    streams[1]?.end(end)
    await quiet(() => of('RESPONSE_FINISHED').length === 1)
    expect(history().at(-1)).toEqual(['assistant', 'New words.'])
    await leaves()
  })

  const moments = ['RESPONSE_STARTED', 'RESPONSE_SEGMENT', 'RESPONSE_GENERATED', 'RESPONSE_FINISHED'] as const
  it.each(moments)('row 53: an abort in %s, while the end arrives, has exactly one ending', async (moment) => {
    const { ask, conversation, events, settles } = await stage({ replies: [{ text: 'It is noon. Enjoy it.' }] })
    const interrupting = conversation.events.subscribe(({ type }) => {
      if (type === moment) conversation.interrupt()
    })
    const { turnId } = await ask()
    await soon()
    expect(
      events.filter((event) => 'turnId' in event && event.turnId === turnId && endings.has(event.type)),
    ).toHaveLength(1)
    interrupting.unsubscribe()
    await settles()
  })

  it('row 53: an abort some macrotasks after the last bytes has exactly one ending, wherever it falls', async () => {
    for (let macrotasks = 0; macrotasks < 8; macrotasks++) {
      const { ask, one, conversation, events, settles } = await stage({
        replies: [{ deltas: ['It is', ' noon.'], hold: 1 }],
      })
      const outcome = ask()
      await one.requested(0)
      one.release(0)
      for (let count = 0; count < macrotasks; count++) await soon()
      conversation.interrupt()
      const { turnId } = await outcome
      await soon()
      const told = events.filter((event) => 'turnId' in event && event.turnId === turnId && endings.has(event.type))
      expect(told).toHaveLength(1)
      await settles()
    }
  })
})

describe('SYSTEM_STOPPED', () => {
  type Scene = Awaited<ReturnType<typeof stage>> & { sink: ReturnType<typeof cueSink> }
  const scenes: [where: string, replies: Parameters<typeof stage>[0], until: (scene: Scene) => Promise<unknown>][] = [
    ['connecting', { replies: [{ hold: 'headers' }] }, async ({ isWorking }) => quiet(() => isWorking('locating'))],
    ['waiting for the first byte', { replies: [{ hold: 'headers' }] }, ({ one }) => one.requested(0)],
    [
      'streaming',
      { replies: [{ deltas: ['It', ' is'], hold: 1 }] },
      async ({ conversation }) => new Promise<void>((resolve) => void conversation.deltas.subscribe(() => resolve())),
    ],
    [
      'speaking while text still arrives',
      { replies: [{ deltas: ['It is noon. And', ' more'], hold: 1 }] },
      ({ sink }) => quiet(() => sink.isPlaying),
    ],
    [
      'speaking after the text',
      { replies: [{ text: 'It is noon.' }] },
      ({ sink, of }) => quiet(() => sink.isPlaying && of('RESPONSE_GENERATED').length === 1),
    ],
  ]

  it.each(scenes)(
    'row 54: while %s: silent in one macrotask, timers cleared, socket closed, slot free',
    async (_, given, until) => {
      const sink = cueSink()
      const scene = await stage({ ...given, options: { sink } })
      const { ask, conversation, caller, clock, one, of, service, rests, leaves } = scene
      const outcome = ask()
      await until({ ...scene, sink })
      caller.next({ type: 'SYSTEM_STOPPED' })
      await soon()
      expect(sink.isPlaying).toBe(false)
      // nothing of ours is left that could delay what is to be closed
      expect(clock.pending).toBe(0)
      expect(conversation.actor.getSnapshot()).toMatchObject({ status: 'done', value: 'stopped' })
      expect(await outcome).toMatchObject({ ending: 'interrupted', heard: '' })
      expect(of('RESPONSE_INTERRUPTED')).toMatchObject([{ reason: 'stopped' }])
      await rests()
      one.reply({ text: 'Fine now.' })
      const next = service.conversation('next', { sink: cueSink({ auto: true }) })
      expect(await next.ask('and now')).toMatchObject({ ending: 'finished', heard: 'Fine now.' })
      expect(of('RESPONSE_DELAYED')).toEqual([])
      await leaves()
    },
  )

  it('row 54: while queued: the place is left, and the one who holds the slot goes on', async () => {
    const { ask, one, clock, of, service, settles } = await stage({
      replies: [{ deltas: ['It is', ' noon.'], hold: 1 }, { text: 'Never.' }],
    })
    const outcome = ask()
    await one.requested(0)
    const second = service.conversation('second')
    const waiting = second.ask('me too')
    await quiet(() => of('RESPONSE_DELAYED').length === 1)
    const before = clock.pending
    await second.stop()
    expect(await waiting).toMatchObject({ ending: 'interrupted' })
    expect(clock.pending).toBe(before - 1)
    one.release(0)
    expect(await outcome).toMatchObject({ ending: 'finished', heard: 'It is noon.' })
    expect(one.requests).toHaveLength(1)
    one.reply({ text: 'Fine now.' })
    const third = service.conversation('third')
    expect(await third.ask('and me')).toMatchObject({ ending: 'finished', heard: 'Fine now.' })
    expect(of('RESPONSE_DELAYED')).toHaveLength(1)
    await settles()
  })
})
