import { describe, expect, it } from 'vitest'
import type { AmbientVerdict } from '../../machines/conversation/events.ts'
import { nothingEndsTheProcess } from '../support/nothing-ends-the-process.ts'
import { talk } from './harness.ts'

nothingEndsTheProcess()

/** Answers when a test says so. */
function heldHook<Answer>() {
  const asked: { signal: AbortSignal; answer(value: Answer): void }[] = []
  return {
    asked,
    ask: (signal: AbortSignal) => new Promise<Answer>((answer) => asked.push({ signal, answer })),
  }
}

describe('an ambient policy', () => {
  const ambient = { type: 'AMBIENT_SPEECH_DETECTED' as const, text: 'what time is it' }

  it('that never answers has 500 ms: then the speech is ignored, its signal aborts, and an answer is too late', async () => {
    const { asked, ask } = heldHook<AmbientVerdict>()
    const { caller, clock, of, service } = talk({ options: { ambient: { policy: (_u, _c, signal) => ask(signal) } } })
    caller.next(ambient)
    await clock.advanceTo(499)
    expect([of('AMBIENT_SPEECH_IGNORED').length, asked[0]?.signal.aborted]).toEqual([0, false])
    await clock.advanceTo(500)
    expect([of('AMBIENT_SPEECH_IGNORED').length, asked[0]?.signal.aborted]).toEqual([1, true])
    asked[0]?.answer('answer')
    await clock.runUntilIdle()
    expect(of('RESPONSE_GENERATING')).toEqual([])
    expect(clock.pending).toBe(0)
    await service.close()
  })

  it('that answers in time is heard, and its signal stays quiet', async () => {
    const { asked, ask } = heldHook<AmbientVerdict>()
    const { caller, clock, of, service } = talk({ options: { ambient: { policy: (_u, _c, signal) => ask(signal) } } })
    caller.next(ambient)
    await clock.advanceTo(499)
    asked[0]?.answer('answer')
    await clock.runUntilIdle()
    expect(of('RESPONSE_FINISHED')).toHaveLength(1)
    expect(asked[0]?.signal.aborted).toBe(false)
    await service.close()
  })

  it('that is still asked when the service closes is asked no longer', async () => {
    const { asked, ask } = heldHook<AmbientVerdict>()
    const { caller, clock, service } = talk({ options: { ambient: { policy: (_u, _c, signal) => ask(signal) } } })
    caller.next(ambient)
    await service.close()
    await clock.settle()
    expect([asked[0]?.signal.aborted, clock.pending]).toEqual([true, 0])
  })

  it('that answers at once decides before what is said next', async () => {
    const { caller, clock, names, service } = talk({ options: { ambient: { policy: () => 'ignore' } } })
    caller.next(ambient)
    expect(names()).toEqual(['AMBIENT_SPEECH_IGNORED'])
    caller.next({ type: 'SPEECH_DETECTED', text: 'hello' })
    await clock.runUntilIdle()
    await service.close()
  })
})

describe('an endpoint detector', () => {
  it('that never answers is not waited for after 500 ms, and its signal aborts', async () => {
    const { asked, ask } = heldHook<{ endOfTurn: number }>()
    const { caller, clock, of, service } = talk({
      options: { endpointing: { detector: (_turn, signal) => ask(signal), minDelayMs: 0 } },
    })
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'hello' })
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.advanceTo(499)
    expect([of('CALLER_TURN_ENDED').length, asked[0]?.signal.aborted]).toEqual([0, false])
    await clock.advanceTo(500)
    expect([of('CALLER_TURN_ENDED').length, asked[0]?.signal.aborted]).toEqual([1, true])
    await clock.runUntilIdle()
    await service.close()
    expect(clock.pending).toBe(0)
  })

  it('may answer at once, without a promise', async () => {
    const { caller, clock, of, service } = talk({ options: { endpointing: { detector: () => ({ endOfTurn: 0 }) } } })
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'hello and' })
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.advanceTo(2_999)
    expect(of('CALLER_TURN_ENDED')).toHaveLength(0)
    await clock.advanceTo(3_000)
    expect(of('CALLER_TURN_ENDED')).toHaveLength(1)
    await clock.runUntilIdle()
    await service.close()
  })
})

describe('facts', () => {
  it('may be a promise, and are asked for once a reply, by the cache as by the prompt', async () => {
    let asked = 0
    const facts = async () => `It is ${(asked += 1)} o'clock.`
    const { conversation, clock, backend, service } = talk({
      options: { context: { facts }, cache: { enabled: true }, generation: { temperature: 0 } },
    })
    const outcome = conversation.ask('what time is it')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    expect(backend.requests[0]?.messages.at(-1)?.content).toBe("what time is it\n\n[It is 1 o'clock.]")
    expect(asked).toBe(1)
    await service.close()
  })

  it('that take longer than 500 ms are left out, and nothing waits for them after an interruption', async () => {
    const { conversation, clock, backend, service } = talk({
      options: { context: { facts: () => new Promise<string>(() => {}) } },
    })
    const outcome = conversation.ask('what time is it')
    await clock.advanceTo(499)
    expect(backend.requests).toHaveLength(0)
    await clock.advanceTo(500)
    expect(backend.requests[0]?.messages.at(-1)?.content).toBe('what time is it')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    const cut = conversation.ask('and now')
    await clock.settle()
    expect(clock.pending).toBeGreaterThan(0)
    conversation.interrupt()
    await clock.settle()
    expect(clock.pending).toBe(0)
    expect(await cut).toMatchObject({ ending: 'interrupted' })
    await service.close()
  })

  it('of more than 20 000 characters are left out', async () => {
    const { conversation, clock, backend, service } = talk({
      options: { context: { facts: () => 'x'.repeat(20_001) } },
    })
    const outcome = conversation.ask('what time is it')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    expect(backend.requests[0]?.messages.at(-1)?.content).toBe('what time is it')
    await service.close()
  })
})

describe('a program that gives something else for a hook', () => {
  it.each([
    [{ random: 5 }, /random must be a function/u],
    [{ inspect: {} }, /inspect must be a function/u],
    [{ logger: {} }, /logger must be an object/u],
    [{ clock: {} }, /clock must have/u],
    [{ backend: { name: 'scripted' } }, /backend must have/u],
    [{ countTokens: true }, /countTokens must be a function/u],
    [{ context: { facts: 'noon' } }, /context.facts must be a function/u],
    [{ endpointing: { detector: {} } }, /endpointing.detector must be a function/u],
    [{ ambient: { policy: {} } }, /ambient.policy/u],
    [{ sink: { play: 'loud' } }, /sink must have the method play/u],
  ])('%j is refused', (options: object, message) => {
    expect(() => talk({ options })).toThrow(message)
  })
})
