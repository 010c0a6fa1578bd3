import { Subject } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { ServiceEvent, SpeechEvent } from '../../machines/vocabulary.ts'
import { defineTool } from '../../src/generation/index.ts'
import { createEventBus } from '../../src/runtime/event-bus.ts'
import type { LlmServiceOptions } from '../../src/runtime/options.ts'
import { createLlmService } from '../../src/runtime/service.ts'
import { scriptedBackend, scriptedSink, scriptedStore, virtualClock } from '../../src/testing/index.ts'
import { nothingEndsTheProcess } from '../support/nothing-ends-the-process.ts'
import { failures, oddities, type Trouble } from './trouble.ts'

const endings = new Set<string>(['RESPONSE_FINISHED', 'RESPONSE_INTERRUPTED', 'ERROR_OCCURRED'])

/** Every collaborator, at its work. */
function collaborators(clock: ReturnType<typeof virtualClock>, log: (message: string) => void, isRetried = false) {
  const kept = new Map<string, unknown>()
  const { play, prepare, pause, resume } = scriptedSink({ startMs: 10, charMs: 40 }, clock)
  const scripted = scriptedBackend(
    {
      replies: [
        ...(isRetried ? [{ fault: { kind: 'http' as const, status: 500 } }] : []),
        { text: 'Wait. ', toolCalls: [{ name: 'lamp', arguments: {} }] },
        { text: 'The lamp is on now.<|im_end|> Do you want more light in here?' },
      ],
    },
    clock,
  )
  const write = (_facts: object, message: string) => log(message)
  return {
    sink: { play, prepare, pause, resume },
    backend: { ...scripted, countTokens: async () => 9 },
    bus: createEventBus(),
    logger: { debug: write, info: write, warn: write, error: write },
    inspect: { next: () => {} },
    store: scriptedStore(),
    cacheStore: {
      get: async (key: string) => kept.get(key),
      set: async (key: string, words: unknown) => void kept.set(key, words),
    },
    hooks: {
      random: () => 0.5,
      countTokens: () => 7,
      facts: () => 'It is noon.',
      detector: async () => ({ endOfTurn: 1 }),
      policy: () => 'ignore',
      lamp: () => 'It is on.',
    },
  }
}
type Collaborators = ReturnType<typeof collaborators>
type Door = readonly [who: keyof Collaborators, method: string]

/** Puts them to work. From JavaScript anything may come, and so it may here. */
function optionsOf({ hooks, ...others }: Collaborators, door: Door): LlmServiceOptions {
  const { random, countTokens, facts, detector, policy, lamp } = hooks
  const given: object = {
    ...others,
    random,
    // The backend is asked to count where nobody else does.
    ...(door[0] === 'backend' ? {} : { countTokens }),
    context: { facts },
    endpointing: { detector },
    ambient: { policy },
    tools: { lamp: defineTool({ description: 'Puts the lamp on.', parameters: z.object({}), run: lamp }) },
  }
  return {
    defaultModel: 'm1',
    speculation: { enabled: false },
    generation: { temperature: 0 },
    cache: { enabled: true },
    ...given,
  }
}

/**
 * Two turns in trouble, with a noise over the reply of one and a barge-in over that of the other, and a third when the
 * trouble is over. Returns how the first ended and all that was reported.
 */
async function storm(door: Door, trouble: Trouble) {
  const clock = virtualClock()
  const told: string[] = []
  let isBroken = true
  const [who, method] = door
  const given = collaborators(clock, (message) => told.push(message), method === 'random')
  const healthy: unknown = Reflect.get(given[who], method)
  Reflect.set(given[who], method, (...args: unknown[]): unknown => {
    if (isBroken) return trouble.run()
    return typeof healthy === 'function' ? Reflect.apply(healthy, given[who], args) : undefined
  })
  const service = createLlmService({ ...optionsOf(given, door), clock })
  const events: ServiceEvent[] = []
  service.events.subscribe((event) => events.push(event))
  // One that fails is there all the time.
  const display = (): unknown => Promise.reject(new Error('a display of the program'))
  service.events.subscribe(display)
  const conversation = service.conversation()
  const caller = new Subject<SpeechEvent>()
  conversation.listenTo(caller)
  const of = (type: ServiceEvent['type']) => events.filter((event) => event.type === type)
  const endingOf = (turnId: string | undefined) =>
    events.filter((event) => 'turnId' in event && event.turnId === turnId && endings.has(event.type))
  const later = (ms: number) => clock.advanceTo(clock.now() + ms)
  const during = async <Value>(asked: Promise<Value>, ms = 15_000) => {
    await later(ms)
    return asked
  }
  const begins = async () => {
    const before = of('RESPONSE_STARTED').length
    for (let ms = 0; ms < 8_000 && of('RESPONSE_STARTED').length === before; ms += 100) await later(100)
  }

  const opened = service.initialize().catch((error: unknown) => told.push(`initialize rejects with ${String(error)}`))
  await during(opened)
  caller.next({ type: 'AMBIENT_SPEECH_DETECTED', text: 'somebody mutters' })
  caller.next({ type: 'SPEECH_STARTED' })
  await later(300)
  caller.next({ type: 'SPEECH_DETECTED', text: 'put the lamp on' })
  caller.next({ type: 'SPEECH_ENDED' })
  await begins()
  caller.next({ type: 'SPEECH_STARTED' })
  await later(600)
  caller.next({ type: 'SPEECH_ENDED' })
  await later(30_000)

  const interrupted = conversation.ask('and what time is it')
  await begins()
  await later(700)
  caller.next({ type: 'SPEECH_DETECTED', text: 'never mind that' })
  await during(interrupted, 30_000)

  isBroken = false
  given.sink.resume?.()
  await during(service.initialize())
  const { ending } = await during(conversation.ask('and now'), 30_000)
  expect(ending).toBe('finished')
  expect(of('AMBIENT_SPEECH_IGNORED')).toHaveLength(1)
  const turns = events.flatMap((event) => (event.type === 'CALLER_TURN_ENDED' ? [event.turnId] : []))
  expect(turns).toHaveLength(4)
  expect(turns.map((turnId) => endingOf(turnId).length)).toEqual([1, 1, 1, 1])
  expect(conversation.actor.getSnapshot().status).toBe('active')
  isBroken = who === 'store' && method === 'close'
  await during(service.close(), 3_000)
  expect(clock.pending).toBe(0)
  for (const event of events) {
    if (event.type === 'ERROR_OCCURRED') told.push(event.message)
    if (event.type === 'TOOL_CALLED' && event.outcome === 'failed') told.push(event.result)
  }
  const [first] = endingOf(turns[0])
  return { first: first?.type === 'ERROR_OCCURRED' ? first.code : first?.type, told }
}

const { warnings } = nothingEndsTheProcess()

interface Row {
  door: Door
  /** How the first turn ends; finished, where nothing is said. */
  first?: RegExp
  /** What is reported of it. */
  told: RegExp
  /** Answers that are none of its troubles. */
  fine?: RegExp
}

/** Those that have nothing to return: whatever they do return is ignored. */
const silent: Row[] = [
  { door: ['sink', 'prepare'], told: /speech sink failed in prepare/u },
  { door: ['sink', 'pause'], told: /speech sink failed in pause/u },
  // The sink that is not resumed stays silent.
  { door: ['sink', 'resume'], first: /^sink-stalled$/u, told: /speech sink failed in resume/u },
  { door: ['bus', 'publish'], told: /event bus failed in publish/u },
  { door: ['logger', 'debug'], told: /logger failed in debug/u },
  { door: ['logger', 'warn'], told: /logger failed in warn/u },
  { door: ['inspect', 'next'], told: /inspector failed/u },
  { door: ['cacheStore', 'set'], told: /cache could not be written/u },
  { door: ['store', 'commit'], told: /could not be stored/u },
  { door: ['store', 'close'], told: /store threw while it was closed/u },
]
const anything = /^re(?:turns (?!a then)|solves)|settles/u

/** Those that are asked for something, and what stands in for it. */
const asked: Row[] = [
  { door: ['sink', 'play'], first: /^sink/u, told: /speech sink .* segment|returned no Observable/u },
  { door: ['bus', 'on'], told: /initialize rejects with LlmError.*bus|bus ended with an error/u, fine: /settles/u },
  { door: ['backend', 'stream'], first: /internal|protocol|connection/u, told: /backend|reached in time/u },
  { door: ['backend', 'models'], first: /FINISHED|connection/u, told: /backend failed in models|reached in time/u },
  { door: ['backend', 'describe'], first: /FINISHED|connection/u, told: /backend failed in describe|reached in time/u },
  { door: ['backend', 'countTokens'], told: /backend failed in countTokens/u },
  { door: ['cacheStore', 'get'], told: /cache could not be read/u, fine: /undefined$|null|settles/u },
  { door: ['store', 'open'], told: /initialize rejects with LlmError.*store/u, fine: /undefined$|null|object/u },
  { door: ['store', 'load'], told: /nothing of this conversation is kept/u, fine: /undefined$|null/u },
  { door: ['hooks', 'random'], told: /random failed/u },
  { door: ['hooks', 'countTokens'], told: /countTokens failed/u },
  { door: ['hooks', 'facts'], told: /facts failed/u, fine: /undefined$|null|text/u },
  { door: ['hooks', 'detector'], told: /detector failed/u },
  { door: ['hooks', 'policy'], told: /ambient policy failed/u },
  { door: ['hooks', 'lamp'], told: /Failed: /u, fine: anything },
]

describe('a collaborator that throws, rejects, or gives something else than it should', () => {
  const rows = [...silent.map((row) => ({ ...row, fine: anything })), ...asked]
  it.each(rows.map((row) => [row.door.join('.'), row] as const))(
    'row 81: %s, whatever it does, ends nothing, is reported, and the next turn works',
    async (_, { door, first: due = /FINISHED/u, told: report, fine = /^$/u }) => {
      const storms = [...failures, ...oddities].map(async (trouble) => {
        const { first, told } = await storm(door, trouble)
        const isTold = [...told, ...warnings()].some((words) => report.test(words))
        return [trouble.name, due.test(String(first)) ? 'as due' : first, isTold || fine.test(trouble.name)]
      })
      expect(await Promise.all(storms)).toEqual([...failures, ...oddities].map(({ name }) => [name, 'as due', true]))
    },
    60_000,
  )
})
