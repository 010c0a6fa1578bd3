import { Subject } from 'rxjs'
import type { InspectionEvent } from 'xstate'
import { expect, onTestFinished } from 'vitest'
import type { ServiceEvent, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import { createLlmService } from '../../src/runtime/service.ts'
import type { TurnOutcome } from '../../src/conversations/turn/outcome.ts'
import type { LlmServiceOptions } from '../../src/runtime/options.ts'
import { loopbackServer, type LoopbackOptions, type LoopbackReply } from '../../src/testing/loopback-server.ts'
import { isNoMoreThan, quiet, resources } from './resources.ts'
import { findSecret, plantedKey } from './secrets.ts'
import { windableClock } from './windable-clock.ts'

const endings = new Set(['RESPONSE_FINISHED', 'RESPONSE_INTERRUPTED', 'ERROR_OCCURRED'])

export interface StageOptions {
  /** What the first server says to the chat requests, in order. The second one always answers. */
  replies?: readonly LoopbackReply[]
  first?: LoopbackOptions
  second?: LoopbackOptions
  /** No second server: nothing but m1. */
  alone?: boolean
  /** What was said before. */
  past?: readonly Turn[]
  options?: LlmServiceOptions
}

/**
 * A whole service over real sockets. The first server has m1 and m2, the second m3: what leaves the model is answered
 * by m2, what leaves the origin by m3. One slot, so that a slot that is not given back stops the next turn.
 */
export async function stage({
  replies,
  first = {},
  second = {},
  alone = false,
  past = [],
  options = {},
}: StageOptions = {}) {
  const before = resources()
  const one = await loopbackServer({
    models: alone ? ['m1'] : ['m1', 'm2'],
    apiKey: plantedKey,
    ...(replies === undefined ? {} : { replies }),
    ...first,
  })
  const two = await loopbackServer({ models: ['m3'], replies: [{ text: 'Two speaks.' }], ...second })
  const clock = windableClock()
  const logged: unknown[] = []
  const log = (facts: object, message: string) => void logged.push([facts, message])
  const inspected: InspectionEvent[] = []
  const service = createLlmService({
    baseUrl: one.url,
    apiKey: plantedKey,
    defaultModel: 'm1',
    fallback: { models: alone ? [] : ['m2', { model: 'm3', baseUrl: two.url, apiKey: plantedKey }] },
    concurrency: { slots: 1 },
    speculation: { enabled: false },
    retry: { minDelayMs: 0, maxDelayMs: 0 },
    clock,
    logger: { debug: log, info: log, warn: log, error: log },
    inspect: (event) => void inspected.push(event),
    ...options,
  })
  const events: ServiceEvent[] = []
  service.events.subscribe((event) => events.push(event))
  const conversation = service.conversation('default', { history: past })
  const caller = new Subject<SpeechEvent>()
  conversation.listenTo(caller)
  const outcomes: TurnOutcome[] = []
  let closed = false

  const of = <Type extends ServiceEvent['type']>(type: Type) =>
    events.filter((event): event is Extract<ServiceEvent, { type: Type }> => event.type === type)
  const sockets = () => one.openSockets + two.openSockets
  const living = () => Object.keys(conversation.actor.getSnapshot().children)

  /** The conversation still talks, where no model can be had. */
  async function says(): Promise<void> {
    const said = conversation.say('I cannot think today.')
    if (conversation.actor.getSnapshot().matches('error')) clock.wind(3_000)
    expect(await said).toMatchObject({ ending: 'finished', heard: 'I cannot think today.' })
  }

  /** The reply chart is in this state of its work. */
  const isWorking = (state: string) =>
    Object.values(conversation.actor.getSnapshot().children).some((child) => {
      const snapshot: unknown = child?.getSnapshot()
      return JSON.stringify(snapshot)?.includes(`"work":${JSON.stringify(state)}`)
    })

  async function ask(text = 'what time is it'): Promise<TurnOutcome> {
    const outcome = await conversation.ask(text)
    outcomes.push(outcome)
    return outcome
  }

  /** Nothing of the last turn is left: no socket, no actor but the conversation, and every turn ended once. */
  async function rests(): Promise<void> {
    await quiet(() => sockets() === 0)
    expect(living()).toEqual([])
    for (const { conversationId, turnId } of of('CALLER_TURN_ENDED')) {
      const told = events.filter(
        (event) =>
          'turnId' in event &&
          event.turnId === turnId &&
          event.conversationId === conversationId &&
          endings.has(event.type),
      )
      expect(told.map(({ type }) => type)).toHaveLength(1)
    }
  }

  /** The slot is free, nothing is left running, the next turn works, and no secret was told on the way. */
  async function settles(expected: Partial<TurnOutcome> = {}): Promise<void> {
    await rests()
    one.reply({ text: 'Fine now.' })
    const queued = of('RESPONSE_DELAYED').filter(({ reason }) => reason === 'queued').length
    const next = await ask('and now')
    expect(next).toMatchObject({ ending: 'finished', heard: 'Fine now.', ...expected })
    expect(of('RESPONSE_DELAYED').filter(({ reason }) => reason === 'queued')).toHaveLength(queued)
    await leaves()
  }

  /** Without another turn. */
  async function leaves(): Promise<void> {
    await rests()
    const state = conversation.actor.getSnapshot().value
    if (state === 'error') clock.wind(3_000)
    expect(conversation.actor.getSnapshot().status === 'done' || conversation.actor.getSnapshot().matches('idle')).toBe(
      true,
    )
    expect(clock.pending).toBe(0)
    for (const { headers } of one.requests) expect(headers['authorization']).toBe(`Bearer ${plantedKey}`)
    expect(
      findSecret({ events, outcomes, logged, inspected, snapshot: conversation.actor.getPersistedSnapshot() }),
    ).toBe('nowhere')
    for (const { message } of of('ERROR_OCCURRED')) expect(message).not.toContain('what time is it')
    await close()
    expect(conversation.actor.getSnapshot().status).not.toBe('active')
    expect(clock.pending).toBe(0)
    await quiet(() => isNoMoreThan(before))
  }

  async function close(): Promise<void> {
    if (closed) return
    closed = true
    await service.close()
    await Promise.all([one.close(), two.close()])
  }
  onTestFinished(close)

  return {
    one,
    two,
    clock,
    service,
    conversation,
    caller,
    events,
    logged,
    of,
    ask,
    isWorking,
    rests,
    says,
    settles,
    leaves,
    /** The models in the order they were asked, on both servers. */
    asked: () =>
      [...one.requests, ...two.requests].toSorted((a, b) => a.seenAtMs - b.seenAtMs).map(({ model }) => model),
    history: () =>
      conversation.history.map(({ role, text, interrupted }) => (interrupted ? [role, text, 'cut'] : [role, text])),
  }
}

export type Stage = Awaited<ReturnType<typeof stage>>
