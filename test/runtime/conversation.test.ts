import { Subject } from 'rxjs'
import { describe, expect, it, vi } from 'vitest'
import { LlmError } from '../../src/backends/contract.ts'
import type { SpeechEvent } from '../../machines/vocabulary.ts'
import { talk } from './harness.ts'

describe('a turn', () => {
  it('a spoken turn is told in the order of the vocabulary, with the timings that are knowable', async () => {
    const { clock, caller, names, of, conversation, service } = talk({
      backend: { replies: [{ text: 'It is noon. Enjoy it.', firstTokenMs: 200 }] },
    })
    caller.next({ type: 'SPEECH_STARTED' })
    await clock.advanceTo(600)
    caller.next({ type: 'SPEECH_DETECTED', text: 'what time is it', speaker: 'ann' })
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.runUntilIdle()
    expect(names()).toEqual([
      'CALLER_TURN_ENDED',
      'RESPONSE_GENERATING',
      'RESPONSE_STARTED',
      'RESPONSE_SEGMENT',
      'RESPONSE_GENERATED',
      'RESPONSE_SEGMENT',
      'RESPONSE_FINISHED',
    ])
    const [finished] = of('RESPONSE_FINISHED')
    // Speech ended at 600, the reply was asked for at 1100, its first token came at 1300, the second sentence at 1360.
    expect(finished?.timings).toMatchObject({
      timeToFirstTokenMs: 200,
      timeToFirstSegmentMs: 260,
      timeToFirstAudioMs: 790,
    })
    expect(conversation.history).toMatchObject([
      { role: 'user', text: 'what time is it', speaker: 'ann' },
      { role: 'assistant', text: 'It is noon. Enjoy it.' },
    ])
    await service.close()
  })

  it('a typed turn resolves with how it ended', async () => {
    const { clock, conversation, names, service } = talk({ backend: { replies: [{ text: 'Hello there.' }] } })
    const outcome = conversation.ask('hi')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({
      ending: 'finished',
      text: 'Hello there.',
      heard: 'Hello there.',
      model: 'm1',
      backend: 'scripted',
    })
    expect(names()[0]).toBe('CALLER_TURN_ENDED')
    await service.close()
  })

  it('a typed turn that fails resolves with its error', async () => {
    const { clock, conversation, service } = talk({
      backend: { replies: [{ text: 'x', fault: { kind: 'http', status: 401 } }] },
    })
    const outcome = conversation.ask('hi')
    await clock.runUntilIdle()
    expect((await outcome).ending).toBe('failed')
    expect(conversation.history.map(({ role }) => role)).toEqual(['user'])
    await service.close()
  })

  it('a typed turn interrupts a reply and is answered at once', async () => {
    const { clock, conversation, backend, service } = talk({
      backend: { replies: [{ text: 'One two three four five six seven.' }, { text: 'Fine.' }] },
    })
    const first = conversation.ask('count')
    await clock.advanceTo(1_000)
    const second = conversation.ask('enough')
    await clock.runUntilIdle()
    expect(await first).toMatchObject({ ending: 'interrupted', heard: 'One two' })
    expect(await second).toMatchObject({ ending: 'finished', heard: 'Fine.' })
    expect(backend.requests[1]?.messages.slice(1).map(({ content }) => content)).toEqual(['count', 'One two', 'enough'])
    await service.close()
  })

  it('empty text is refused, and text over the limit', async () => {
    const { conversation, service } = talk({ options: { limits: { utteranceChars: 10 } } })
    await expect(conversation.ask('  ')).rejects.toMatchObject({ code: 'bad-input' })
    await expect(conversation.ask('far too many words')).rejects.toMatchObject({ code: 'bad-input' })
    await service.close()
  })
})

describe('the assistant speaks by itself', () => {
  it('what it says is heard, remembered, and needs no model', async () => {
    const { clock, conversation, backend, service } = talk()
    const said = conversation.say('Your tea is ready.')
    await clock.runUntilIdle()
    expect(await said).toMatchObject({ ending: 'finished', heard: 'Your tea is ready.' })
    expect(backend.requests).toHaveLength(0)
    expect(conversation.history).toMatchObject([{ role: 'assistant', text: 'Your tea is ready.' }])
    await service.close()
  })

  it('it waits until the caller has been answered', async () => {
    const { clock, conversation, sink, service } = talk({ backend: { replies: [{ text: 'Noon.' }] } })
    const asked = conversation.ask('what time is it')
    const said = conversation.say('The door bell rang.')
    await clock.runUntilIdle()
    await Promise.all([asked, said])
    expect(sink?.played.map(({ segment }) => segment.text)).toEqual(['Noon.', 'The door bell rang.'])
    await service.close()
  })

  it('protected speech plays to its end and the words said meanwhile are answered', async () => {
    const { clock, conversation, caller, service } = talk({ backend: { replies: [{ text: 'Yes.' }] } })
    const said = conversation.say('Please leave the building now.', { protected: true })
    await clock.advanceTo(500)
    caller.next({ type: 'SPEECH_DETECTED', text: 'is it a drill' })
    await clock.runUntilIdle()
    expect((await said).ending).toBe('finished')
    expect(conversation.history.map(({ text }) => text)).toEqual([
      'Please leave the building now.',
      'is it a drill',
      'Yes.',
    ])
    await service.close()
  })

  it('an interruption by the program ends protected speech too', async () => {
    const { clock, conversation, service } = talk()
    const said = conversation.say('Please leave the building now.', { protected: true })
    await clock.advanceTo(500)
    conversation.interrupt()
    await clock.runUntilIdle()
    expect(await said).toMatchObject({ ending: 'interrupted', heard: 'Please' })
    await service.close()
  })
})

describe('what comes in', () => {
  it.each([
    ['an unknown type', { type: 'SPEECH_SUNG', text: 'la' }],
    ['a missing field', { type: 'SPEECH_DETECTED' }],
    ['no object at all', 'hello'],
    ['a text over the limit', { type: 'SPEECH_DETECTED', text: 'x'.repeat(4_001) }],
  ])('%s is refused with one bad-input and changes nothing', async (_name, raw) => {
    const { conversation, of, state, events, service } = talk()
    const source = new Subject<unknown>()
    // @ts-expect-error a source written in JavaScript may send anything
    conversation.listenTo(source)
    source.next(raw)
    expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'bad-input' }])
    expect(JSON.stringify(events)).not.toContain('xxxx')
    expect(state()).toBe('idle')
    await service.close()
  })

  it('a source that errors is reported and the conversation lives on', async () => {
    const { caller, conversation, of, clock, service } = talk({ backend: { replies: [{ text: 'Here.' }] } })
    caller.error(new Error('microphone gone'))
    expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'speech-source', recoverable: true }])
    const outcome = conversation.ask('still there?')
    await clock.runUntilIdle()
    expect((await outcome).ending).toBe('finished')
    await service.close()
  })

  it('a source that completes means that speech ended', async () => {
    const { caller, clock, of, service } = talk()
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'hello' })
    caller.complete()
    await clock.runUntilIdle()
    expect(of('CALLER_TURN_ENDED')).toMatchObject([{ text: 'hello', atMs: 500 }])
    await service.close()
  })

  it('a subscriber that throws hurts nobody', async () => {
    const warn = vi.fn()
    const log = () => {}
    const logger = { debug: log, info: log, warn, error: log }
    const { clock, conversation, service } = talk({ backend: { replies: [{ text: 'Hi.' }] }, options: { logger } })
    conversation.events.subscribe(() => {
      throw new Error('mine')
    })
    const outcome = conversation.ask('hello')
    await clock.runUntilIdle()
    expect((await outcome).ending).toBe('finished')
    await service.close()
    // RxJS alone would throw it in a timer, and end the process.
    expect(warn).toHaveBeenCalledWith({ error: 'Error: mine' }, 'a subscriber failed; the rest goes on')
  })
})

describe('sinks and streams', () => {
  it('a second sink is a config error, until the first has left', async () => {
    const { conversation, service } = talk({ sink: null })
    const silent = { play: () => new Subject<never>() }
    const first = conversation.speakTo(silent)
    expect(() => conversation.speakTo(silent)).toThrow(LlmError)
    first.unsubscribe()
    conversation.speakTo(silent).unsubscribe()
    await service.close()
  })

  it('without a sink a segment counts as heard when it is emitted', async () => {
    const { conversation, clock, service } = talk({ sink: null, backend: { replies: [{ text: 'One. Two.' }] } })
    const segments: string[] = []
    conversation.segments.subscribe(({ text }) => segments.push(text))
    const outcome = conversation.ask('go')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ heard: 'One. Two.' })
    expect(segments).toEqual(['One.', 'Two.'])
    await service.close()
  })

  it('deltas of a speculation are silent until it is adopted', async () => {
    const { conversation, clock, caller, service } = talk({
      options: { speculation: { enabled: true } },
      backend: { replies: [{ text: 'It is on.' }] },
    })
    const seen: string[] = []
    conversation.deltas.subscribe(({ text }) => seen.push(`${clock.now()} ${text}`))
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'light on' })
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.runUntilIdle()
    expect(seen).toEqual(['500 It', '500  is', '500  on.'])
    await service.close()
  })
})

describe('conversations', () => {
  it('two conversations never see each other’s events', async () => {
    const { service, clock, conversation } = talk({ backend: { replies: [{ text: 'Hi.' }] } })
    const other = service.conversation('kitchen')
    const seen: string[] = []
    other.events.subscribe(({ conversationId }) => seen.push(conversationId))
    const mine = conversation.ask('hello')
    const theirs = other.ask('hello')
    await clock.runUntilIdle()
    await Promise.all([mine, theirs])
    expect(new Set(seen)).toEqual(new Set(['kitchen']))
    expect(service.conversation('kitchen')).toBe(other)
    await service.close()
  })

  it('a stop ends the conversation, frees its request and silences it', async () => {
    const { conversation, clock, backend, state, service, caller } = talk({
      backend: { replies: [{ text: 'Too late.', firstTokenMs: 3_000 }] },
    })
    const outcome = conversation.ask('hello')
    await clock.advanceTo(100)
    await conversation.stop()
    expect(await outcome).toMatchObject({ ending: 'interrupted', heard: '' })
    expect(state()).toBe('stopped')
    await clock.settle()
    expect(backend.requests[0]?.aborted).toBe(true)
    expect(clock.pending).toBe(0)
    caller.next({ type: 'SPEECH_DETECTED', text: 'anyone' })
    expect(state()).toBe('stopped')
    await service.close()
  })

  it('over the limit the newest is refused, and a stopped one makes room', async () => {
    const { service, conversation } = talk({ options: { limits: { conversations: 1 } } })
    expect(() => service.conversation('b')).toThrow(LlmError)
    await conversation.stop()
    expect(service.conversation('b').id).toBe('b')
    await service.close()
  })
})

describe('ambient speech', () => {
  const overheard = (text: string): SpeechEvent => ({ type: 'AMBIENT_SPEECH_DETECTED', text })

  it('a policy that throws means ignore', async () => {
    const { caller, of, service } = talk({
      options: {
        ambient: {
          policy: () => {
            throw new Error('broken')
          },
        },
      },
    })
    caller.next(overheard('hello'))
    expect(of('AMBIENT_SPEECH_IGNORED')).toHaveLength(1)
    await service.close()
  })

  it('context is remembered and not answered', async () => {
    const { caller, conversation, backend, service } = talk({ options: { ambient: { policy: 'context' } } })
    caller.next(overheard('the game is on'))
    expect(conversation.history).toMatchObject([{ role: 'user', text: '[overheard] the game is on' }])
    expect(backend.requests).toHaveLength(0)
    await service.close()
  })

  it('with followUpMs, speech soon after a reply is answered', async () => {
    const { caller, conversation, backend, clock, service } = talk({ options: { ambient: { followUpMs: 5_000 } } })
    const asked = conversation.ask('hello')
    await clock.runUntilIdle()
    await asked
    caller.next(overheard('and tomorrow'))
    await clock.runUntilIdle()
    expect(backend.requests).toHaveLength(2)
    await service.close()
  })
})

describe('the end-of-turn detector', () => {
  it('makes the turn wait longer where it says that it goes on', async () => {
    const { caller, clock, of, service } = talk({
      options: { endpointing: { detector: async () => ({ endOfTurn: 0.1 }) } },
    })
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'my number is' })
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.runUntilIdle()
    expect(of('CALLER_TURN_ENDED')[0]?.atMs).toBe(3_000)
    await service.close()
  })

  it.each([
    ['fails', async () => Promise.reject(new Error('no'))],
    ['never answers', () => new Promise<never>(() => {})],
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
  ])('one that %s leaves the usual delay', async (_name, detector) => {
    const { caller, clock, of, service } = talk({ options: { endpointing: { detector } } })
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'my number is' })
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.runUntilIdle()
    expect(of('CALLER_TURN_ENDED')[0]?.atMs).toBe(500)
    await service.close()
    expect(clock.pending).toBe(0)
  })
})
