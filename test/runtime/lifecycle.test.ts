import { describe, expect, it } from 'vitest'
import { createEventBus } from '../../src/runtime/event-bus.ts'
import { talk } from './harness.ts'

describe('what waits for an outcome always gets one', () => {
  it('words typed one after the other during protected speech are answered together', async () => {
    const { clock, conversation, service, of } = talk({ backend: { replies: [{ text: 'Yes.' }] } })
    const said = conversation.say('Please leave the building now.', { protected: true })
    await clock.advanceTo(500)
    const both = [conversation.ask('is it a drill'), conversation.ask('which door')]
    await clock.runUntilIdle()
    await said
    expect(await Promise.all(both)).toMatchObject([{ heard: 'Yes.' }, { heard: 'Yes.' }])
    expect(of('CALLER_TURN_ENDED')).toMatchObject([{ text: 'is it a drill which door' }])
    await service.close()
  })

  it('in a conversation that was stopped: whoever asks opens it anew', async () => {
    const { clock, conversation, service } = talk({ backend: { replies: [{ text: 'Here I am.' }] } })
    await conversation.stop()
    const asked = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await asked).toMatchObject({ ending: 'finished', heard: 'Here I am.' })
    await service.close()
    expect(await conversation.ask('hello')).toMatchObject({ ending: 'interrupted', heard: '' })
  })

  it('when the service leaves in mid-reply: what was heard, and nothing for what was not begun', async () => {
    const { clock, conversation, service } = talk({ backend: { replies: [{ text: 'One two three four five.' }] } })
    const asked = conversation.ask('count')
    const said = conversation.say('The bell rang.')
    await clock.advanceTo(1_000)
    await service.close()
    expect(await asked).toMatchObject({
      ending: 'interrupted',
      text: 'One two three four five.',
      heard: 'One two three',
    })
    expect(await said).toMatchObject({ ending: 'interrupted', text: '', heard: '' })
  })

  it('with the text as far as it was generated', async () => {
    const { clock, conversation, service } = talk({ backend: { replies: [{ text: 'One two. Three four. Five.' }] } })
    const asked = conversation.ask('count')
    await clock.advanceTo(150)
    conversation.interrupt()
    expect(await asked).toMatchObject({ ending: 'interrupted', text: 'One two. Three' })
    await service.close()
  })
})

describe('leaving', () => {
  it('a service that leaves lets go of its speech sources', async () => {
    const { caller, service } = talk()
    await service.close()
    expect(caller.observed).toBe(false)
  })

  it('a service that leaves ends the replies outside conversations, and makes no more', async () => {
    const { backend, clock, service } = talk({ backend: { replies: [{ text: 'Late.', firstTokenMs: 2_000 }] } })
    const { result } = service.generate('hello')
    await clock.advanceTo(10)
    await service.close()
    await clock.settle()
    expect(await result).toMatchObject({ ok: false, error: { fault: 'cancelled' } })
    expect([backend.requests[0]?.aborted, clock.pending]).toEqual([true, 0])
    expect(() => service.generate('hello')).toThrow('closed')
  })

  it('a request without policy ends with the service, whose ever its signal is', async () => {
    const { clock, service } = talk({ backend: { replies: [{ text: 'Late.', firstTokenMs: 2_000 }] } })
    const { signal } = new AbortController()
    const request = { model: 'm1', messages: [{ role: 'user' as const, content: 'hello' }], maxTokens: 10 }
    const asked = service.sendRequest({ ...request, contextTokens: 4_096, think: false }, { signal })
    const failed = asked.catch((error: unknown) => error)
    await clock.advanceTo(10)
    await service.close()
    expect(await failed).toMatchObject({ name: 'LlmError', code: 'config' })
    expect(clock.pending).toBe(0)
  })

  it('a reply outside a conversation that is cancelled was heard as far as it was cut into segments', async () => {
    const { clock, of, service } = talk({ backend: { replies: [{ text: 'One two. Three four. Five.' }] } })
    const reply = service.generate('count')
    await clock.advanceTo(170)
    reply.cancel()
    expect(of('RESPONSE_INTERRUPTED')).toMatchObject([{ heard: 'One two.' }])
    await service.close()
  })
})

it('what is refused on the bus is told of the conversation it names, and begins none', async () => {
  const bus = createEventBus()
  const { service, of } = talk({ options: { bus, limits: { conversations: 1 } } })
  await service.initialize()
  bus.publish({ type: 'SPEECH_DETECTED', conversationId: 'kitchen' })
  expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'bad-input', conversationId: 'kitchen' }])
  await service.close()
})
