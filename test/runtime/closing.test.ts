import { NEVER, Observable, Subject } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { LlmError, type Backend } from '../../src/backends/contract.ts'
import type { LlmService } from '../../src/runtime/service.ts'
import { scriptedStore } from '../../src/testing/index.ts'
import { nothingEndsTheProcess } from '../support/nothing-ends-the-process.ts'
import { talk } from './harness.ts'

nothingEndsTheProcess()

const request = { model: 'm1', messages: [{ role: 'user' as const, content: 'hello' }] }
const calls: [what: string, call: (service: LlmService) => Promise<unknown>][] = [
  ['initialize', (service) => service.initialize()],
  ['sendRequest', (service) => service.sendRequest(request)],
  ['checkConnection', (service) => service.checkConnection()],
  ['diagnose', (service) => service.diagnose()],
  ['chat', (service) => service.chat('hello')],
  ['conversation', async (service) => service.conversation('new')],
  ['generate', async (service) => service.generate('hello')],
]

/** Answers nothing, and takes no notice of a signal. */
const deaf: Backend = {
  name: 'scripted',
  origin: 'scripted://deaf',
  canAbortPrompt: false,
  stream: () => new Promise(() => {}),
  models: () => new Promise(() => {}),
  describe: () => new Promise(() => {}),
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('around close', () => {
  it.each(calls)('%s rejects with an LlmError afterwards', async (_, call) => {
    const { service } = talk()
    await service.close()
    const failure = await failureOf(call(service))
    expect(failure).toBeInstanceOf(LlmError)
    expect(failure).toMatchObject({ code: 'config', message: 'the service is closed; create a new one' })
  })

  it.each(calls.filter(([what]) => !['conversation', 'generate', 'initialize', 'checkConnection'].includes(what)))(
    '%s that is under way rejects with an LlmError, whatever the backend does',
    async (_, call) => {
      const { service, clock } = talk({ options: { backend: deaf } })
      const failed = failureOf(call(service))
      await clock.settle()
      await service.close()
      expect(await failed).toBeInstanceOf(LlmError)
      await clock.settle()
      expect(clock.pending).toBe(0)
    },
  )

  it('initialize that waits for its store rejects with an LlmError, and the bus is left', async () => {
    const store = scriptedStore()
    store.hold()
    let listeners = 0
    const on = () => new Observable(() => void (listeners += 1))
    const { service, clock } = talk({ options: { store, bus: { publish: () => {}, on } } })
    const failed = failureOf(service.initialize())
    await clock.settle()
    expect(listeners).toBe(6)
    const closed = service.close()
    expect(await failed).toMatchObject({ name: 'LlmError', code: 'config' })
    store.release()
    await clock.runUntilIdle()
    await closed
  })

  it('close twice is once, and it never rejects', async () => {
    const store = scriptedStore()
    let closes = 0
    const counted = { ...store, close: async () => void (closes += 1) }
    const { service } = talk({ options: { store: counted } })
    await Promise.all([service.close(), service.close()])
    await service.close()
    await service.stop()
    expect(closes).toBe(1)
  })

  it('what a conversation is still asked has an outcome', async () => {
    const { service, conversation, clock } = talk()
    const asked = conversation.ask('hello')
    await service.close()
    expect(await asked).toMatchObject({ ending: 'interrupted' })
    expect(await conversation.ask('hello')).toMatchObject({ ending: 'interrupted' })
    expect(await conversation.say('hello')).toMatchObject({ ending: 'interrupted' })
    conversation.interrupt()
    expect(conversation.listenTo(new Subject()).closed).toBe(true)
    await conversation.stop()
    expect(clock.pending).toBe(0)
  })
})

describe('initialize that rejects', () => {
  const counting = () => {
    const heard = { listeners: 0 }
    const on = () =>
      new Observable(() => {
        heard.listeners += 1
        return () => (heard.listeners -= 1)
      })
    return { heard, bus: { publish: () => {}, on } }
  }

  it('leaves nothing subscribed, and what comes on the bus is not heard', async () => {
    const { heard, bus } = counting()
    const store = scriptedStore()
    store.fail('no such folder; make it')
    const { service, clock } = talk({ options: { store, bus } })
    expect(await failureOf(service.initialize())).toMatchObject({ code: 'config' })
    expect(heard.listeners).toBe(0)
    store.fail()
    const again = service.initialize()
    await clock.runUntilIdle()
    expect(await again).toMatchObject({ reachable: true })
    expect(heard.listeners).toBe(6)
    // One that fails later takes nothing away from the one that did not.
    await service.initialize()
    expect(heard.listeners).toBe(6)
    await service.close()
    expect(heard.listeners).toBe(0)
  })

  it('leaves nothing subscribed where the bus refuses one of the types', async () => {
    const { heard, bus } = counting()
    let asked = 0
    const on = (): Observable<unknown> => {
      asked += 1
      if (asked === 4) throw new Error('not connected yet')
      return asked < 4 ? bus.on() : NEVER
    }
    const { service } = talk({ options: { bus: { ...bus, on } } })
    const failure = await failureOf(service.initialize())
    expect(failure).toMatchObject({ name: 'LlmError', code: 'config' })
    expect(heard.listeners).toBe(0)
    await service.close()
  })
})

describe('what a program asks wrongly', () => {
  const asChat = (value: unknown, service: LlmService): unknown => Reflect.apply(service.sendRequest, service, [value])

  it.each([
    undefined,
    null,
    'hello',
    {},
    { model: 'm1' },
    { ...request, model: '' },
    { ...request, messages: [] },
    { ...request, messages: [{ role: 'caller', content: 'hello' }] },
    { ...request, messages: [{ role: 'user', content: 5 }] },
    { ...request, messages: [{ role: 'user' }] },
    { ...request, maxTokens: Number.NaN },
    { ...request, temperature: 'hot' },
    { ...request, tools: {} },
  ])('sendRequest refuses %j with a word of what is wrong', async (value) => {
    const { service } = talk()
    const failure = await failureOf(Promise.resolve(asChat(value, service)))
    expect(failure).toMatchObject({ name: 'LlmError', code: 'bad-input' })
    await service.close()
  })

  it('a signal that has aborted is obeyed at once, with its reason', async () => {
    const { service, backend } = talk()
    const signal = AbortSignal.abort('changed my mind')
    expect(await failureOf(service.sendRequest(request, { signal }))).toBe('changed my mind')
    expect(await failureOf(service.chat('hello', { signal }))).toBe('changed my mind')
    expect(backend.requests).toHaveLength(0)
    await service.close()
  })

  it('a request that is aborted rejects with the reason, though the backend takes no notice', async () => {
    const { service, clock } = talk({ options: { backend: deaf } })
    const controller = new AbortController()
    const failed = failureOf(service.sendRequest(request, { signal: controller.signal }))
    await clock.settle()
    controller.abort('changed my mind')
    expect(await failed).toBe('changed my mind')
    await service.close()
  })

  it('a text, a signal or a history of another type is an LlmError', async () => {
    const { service, conversation } = talk()
    const apply = async (on: object, method: string, ...args: unknown[]): Promise<unknown> => {
      const run: unknown = Reflect.get(on, method)
      return typeof run === 'function' ? Reflect.apply(run, on, args) : undefined
    }
    for (const text of [undefined, null, 5, {}, ['hello'], '  ']) {
      for (const [on, method] of [
        [conversation, 'ask'],
        [conversation, 'say'],
        [service, 'chat'],
        [service, 'generate'],
      ] as const) {
        expect(await failureOf(apply(on, method, text))).toMatchObject({ name: 'LlmError', code: 'bad-input' })
      }
    }
    for (const given of [{ signal: 'stop' }, { signal: {} }]) {
      expect(await failureOf(apply(service, 'chat', 'hello', given))).toMatchObject({ code: 'bad-input' })
      expect(await failureOf(apply(service, 'sendRequest', request, given))).toMatchObject({ code: 'bad-input' })
    }
    const history = [{ role: 'caller', text: 5 }]
    expect(await failureOf(apply(service, 'chat', 'hello', { history }))).toMatchObject({ code: 'config' })
    await service.close()
  })
})
