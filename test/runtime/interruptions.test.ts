import { describe, expect, it } from 'vitest'
import { talk } from './harness.ts'

const counting = 'One two three four five six seven eight nine ten eleven twelve thirteen fourteen.'

function asked(given: Parameters<typeof talk>[0] = {}) {
  const talking = talk({ backend: { replies: [{ text: counting }, { text: 'Fine.' }] }, ...given })
  const outcome = talking.conversation.ask('count')
  return { ...talking, outcome }
}

describe('signs of listening', () => {
  it('a backchannel that comes before the pause prevents it', async () => {
    const { clock, sink, service, caller } = asked()
    await clock.advanceTo(1_000)
    caller.next({ type: 'SPEECH_STARTED' })
    await clock.advanceTo(1_300)
    caller.next({ type: 'SPEECH_DETECTED', text: 'mm-hmm' })
    await clock.advanceTo(1_700)
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.runUntilIdle()
    expect(sink?.pauses).toEqual([])
    await service.close()
  })

  it('after a backchannel nothing more is awaited: the reply ends in idle', async () => {
    const { clock, service, caller, of } = asked()
    await clock.advanceTo(4_000)
    caller.next({ type: 'SPEECH_STARTED' })
    await clock.advanceTo(4_300)
    caller.next({ type: 'SPEECH_DETECTED', text: 'mm-hmm' })
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.runUntilIdle()
    expect(of('STATE_CHANGED').at(-1)).toMatchObject({ from: 'responding', to: 'idle' })
    await service.close()
  })

  it('a partial that became a backchannel is no words of the turn that follows', async () => {
    const { clock, service, caller, of } = asked({ options: { interruption: { minWords: 2 } } })
    await clock.advanceTo(1_000)
    caller.next({ type: 'SPEECH_PARTIAL', text: 'ye' })
    await clock.advanceTo(1_300)
    caller.next({ type: 'SPEECH_DETECTED', text: 'yeah' })
    await clock.runUntilIdle()
    expect(of('CALLER_TURN_ENDED')).toHaveLength(1)
    await service.close()
  })
})

describe('words over a reply', () => {
  it('a stop word interrupts as a partial too, however many words are wanted', async () => {
    const { clock, service, caller, of } = asked({ options: { interruption: { minWords: 2 } } })
    await clock.advanceTo(1_000)
    caller.next({ type: 'SPEECH_PARTIAL', text: 'stop' })
    await clock.advanceTo(1_300)
    caller.next({ type: 'SPEECH_DETECTED', text: 'stop' })
    await clock.runUntilIdle()
    expect(of('RESPONSE_INTERRUPTED')).toMatchObject([{ reason: 'stop-word', atMs: 1_000 }])
    expect(of('CALLER_TURN_ENDED')).toHaveLength(1)
    await service.close()
  })

  it('words after a short sound end their turn as any words do: after the silence', async () => {
    const { clock, service, caller, of } = asked()
    await clock.advanceTo(1_000)
    caller.next({ type: 'SPEECH_STARTED' })
    await clock.advanceTo(1_300)
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.advanceTo(1_400)
    caller.next({ type: 'SPEECH_DETECTED', text: 'no' })
    await clock.advanceTo(1_700)
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'backwards' })
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.runUntilIdle()
    expect(of('CALLER_TURN_ENDED').map(({ text, atMs }) => [text, atMs])).toEqual([
      ['count', 0],
      ['no backwards', 2_200],
    ])
    await service.close()
  })

  it('a short sound after a long one does not release the text early', async () => {
    const { clock, service, caller, of } = asked({
      backend: { replies: [{ text: 'Fine.', firstTokenMs: 300 }] },
    })
    await clock.advanceTo(50)
    caller.next({ type: 'SPEECH_STARTED' })
    await clock.advanceTo(700)
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.advanceTo(900)
    caller.next({ type: 'SPEECH_STARTED' })
    await clock.advanceTo(1_000)
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.runUntilIdle()
    expect(of('RESPONSE_STARTED')).toMatchObject([{ atMs: 3_000 }])
    await service.close()
  })

  it('a word said again much later is no echo of a partial', async () => {
    const { clock, service, caller, of } = talk({ backend: { replies: [{ text: 'Fine.' }, { text: 'Again.' }] } })
    caller.next({ type: 'SPEECH_PARTIAL', text: 'lights' })
    await clock.advanceTo(3_500)
    caller.next({ type: 'SPEECH_DETECTED', text: 'Lights.' })
    await clock.advanceTo(60_000)
    caller.next({ type: 'SPEECH_DETECTED', text: 'lights' })
    await clock.runUntilIdle()
    expect(of('CALLER_TURN_ENDED').map(({ atMs }) => atMs)).toEqual([3_000, 60_000])
    await service.close()
  })
})

describe('an interruption by the program', () => {
  it('leaves a caller who is speaking the floor', async () => {
    const { clock, conversation, service, caller, of } = asked()
    await clock.advanceTo(1_000)
    caller.next({ type: 'SPEECH_STARTED' })
    await clock.advanceTo(1_100)
    conversation.interrupt()
    await clock.advanceTo(1_300)
    caller.next({ type: 'SPEECH_DETECTED', text: 'what about' })
    await clock.advanceTo(1_500)
    caller.next({ type: 'SPEECH_DETECTED', text: 'tea' })
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.runUntilIdle()
    expect(of('CALLER_TURN_ENDED').map(({ text, atMs }) => [text, atMs])).toEqual([
      ['count', 0],
      ['what about tea', 2_000],
    ])
    await service.close()
  })

  it('does not lose what was typed while protected speech played', async () => {
    const { clock, conversation, service } = talk({ backend: { replies: [{ text: 'Yes.' }] } })
    const said = conversation.say('Please leave the building now.', { protected: true })
    await clock.advanceTo(500)
    const typed = conversation.ask('is it a drill')
    conversation.interrupt()
    await clock.runUntilIdle()
    expect((await said).ending).toBe('interrupted')
    expect(await typed).toMatchObject({ ending: 'finished', heard: 'Yes.' })
    await service.close()
  })
})

describe('what the assistant says by itself', () => {
  it('is told in deltas like any other text', async () => {
    const { clock, conversation, service } = talk()
    const seen: string[] = []
    conversation.deltas.subscribe(({ text }) => seen.push(text))
    const said = conversation.say('Tea is ready.')
    await clock.runUntilIdle()
    await said
    expect(seen).toEqual(['Tea is ready.'])
    await service.close()
  })
})
