import { Subject } from 'rxjs'
import type { InspectionEvent } from 'xstate'
import type { Clock, Milliseconds, ServiceEvent, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import type { ConversationStore } from '../persistence/store.ts'
import type { EndpointDetector } from '../runtime/collaborators/detector.ts'
import type { LlmServiceOptions } from '../runtime/options.ts'
import { createLlmService } from '../runtime/service.ts'
import type { Scenario } from './scenario.ts'
import { scriptedBackend, type ScriptedBackend } from './scripted-backend.ts'
import { scriptedSink, type ScriptedSink } from './scripted-sink.ts'
import { seededRandom } from './seeded-random.ts'
import { virtualClock } from './virtual-clock.ts'

/** One thing that happened, told by whom it happened to. */
export interface TraceEntry {
  atMs: Milliseconds
  who: 'caller' | 'machine' | 'service' | 'backend' | 'sink'
  what: string
  /** The whole event, where it was one. */
  event?: ServiceEvent
}

/** Everything that came of a scenario, for checks to look at. */
export interface Performance {
  trace: readonly TraceEntry[]
  events: readonly ServiceEvent[]
  history: readonly Turn[]
  backend: ScriptedBackend
  sink: ScriptedSink
  /** The top-level state at each moment that a check asks for. */
  states: ReadonlyMap<Milliseconds, string>
  final: string
  /** Actors that still live below the conversation at the end of the run. */
  children: readonly string[]
  endedAtMs: Milliseconds
  /** What was still scheduled at the end of the run, and when the conversation had stopped. */
  scheduled: { atTheEnd: number; onceStopped: number; onceClosed: number }
}

/** What a file cannot hold. */
export interface Extras {
  detector?: EndpointDetector
  inspect?: (event: InspectionEvent) => void
  /** Keeps the conversation; made anew for each run, on its clock. */
  store?: (clock: Clock) => LaggingStore
}

/** A store that takes its time: its own timers are not the conversation's. */
export type LaggingStore = ConversationStore & { readonly lingering?: number }

/** A run ends here even where something is scheduled for ever. */
const longestRunMs = 120_000

/** Plays a scenario with the real service; only the clock, randomness, the backend and the sink are scripted. */
export async function perform(scenario: Scenario, extras: Extras = {}): Promise<Performance> {
  const clock = virtualClock()
  const trace: TraceEntry[] = []
  const tell = (who: TraceEntry['who']) => (what: string, event?: ServiceEvent) => {
    trace.push({ atMs: clock.now(), who, what, ...(event === undefined ? {} : { event }) })
  }
  const backend = scriptedBackend({ ...scenario.backend, note: tell('backend') }, clock)
  const sink = scriptedSink({ ...scenario.sink, note: tell('sink') }, clock)
  const { defaultModel = scenario.backend?.models?.[0] ?? 'm1' } = scenario.options ?? {}
  const { detector, inspect } = extras
  const store = extras.store?.(clock)
  const options: LlmServiceOptions = {
    ...scenario.options,
    ...(detector === undefined ? {} : { endpointing: { ...scenario.options?.endpointing, detector } }),
    ...(inspect === undefined ? {} : { inspect }),
    ...(store === undefined ? {} : { store }),
    defaultModel,
    clock,
    random: seededRandom(1),
    backend,
    sink,
  }
  const service = createLlmService(options)
  const events: ServiceEvent[] = []
  const tellMachine = tell('machine')
  const tellService = tell('service')
  const telling = service.events.subscribe((event) => {
    events.push(event)
    if (event.type === 'STATE_CHANGED') tellMachine(`${event.from} -> ${event.to}`, event)
    else tellService(inWords(event), event)
  })
  await service.initialize()
  const conversation = service.conversation()
  const speech = new Subject<SpeechEvent>()
  const listening = conversation.listenTo(speech)
  const tellCaller = tell('caller')
  const state = () => stateOf(conversation.actor.getSnapshot().value)
  const states = new Map<Milliseconds, string>()
  const scheduled = { atTheEnd: 0, onceStopped: 0, onceClosed: 0 }
  const left = () => clock.pending - backend.lingering - (store?.lingering ?? 0)

  const moments = scenario.expect.flatMap((check) => ('state' in check ? [check.at] : [])).sort((a, b) => a - b)
  const look = async (beforeMs: Milliseconds) => {
    for (let at = moments[0]; at !== undefined && at < beforeMs; at = moments[0]) {
      moments.shift()
      await clock.advanceTo(at)
      states.set(at, state())
    }
  }

  for (const { atMs, event } of scenario.timeline) {
    await look(atMs)
    await clock.advanceTo(atMs)
    tellCaller('text' in event ? `${event.type} ${JSON.stringify(event.text)}` : event.type)
    speech.next(event)
    await clock.settle()
    if (event.type === 'SYSTEM_STOPPED') scheduled.onceStopped += left()
  }
  await look(Infinity)
  await clock.advanceTo(scenario.untilMs ?? 0)
  await clock.runUntilIdle(Math.max(longestRunMs, scenario.untilMs ?? 0))
  scheduled.atTheEnd = left()
  const final = state()
  const children = Object.keys(conversation.actor.getSnapshot().children)
  const endedAtMs = clock.now()
  const { history } = conversation

  listening.unsubscribe()
  const closed = service.close()
  await clock.settle()
  // A store that takes its time is waited for.
  if ((store?.lingering ?? 0) > 0) await clock.advanceTo(clock.now() + 2_000)
  await closed
  await clock.settle()
  scheduled.onceClosed = left()
  telling.unsubscribe()
  return { trace, events, history, backend, sink, states, final, children, endedAtMs, scheduled }
}

function stateOf(value: string | object): string {
  return typeof value === 'string' ? value : (Object.keys(value)[0] ?? '')
}

/** An event for the readable timeline: what tells it apart, without ids. */
function inWords(event: ServiceEvent): string {
  switch (event.type) {
    case 'CALLER_TURN_ENDED':
    case 'RESPONSE_SEGMENT':
      return `${event.type} ${JSON.stringify(event.text)}`
    case 'TOOL_CALLED':
      return `${event.type} ${event.name}, ${event.outcome}`
    case 'RESPONSE_GENERATED':
      return `${event.type} by ${event.model} ${JSON.stringify(event.text)}`
    case 'RESPONSE_FINISHED':
      return `${event.type} heard ${JSON.stringify(event.heard)}`
    case 'RESPONSE_INTERRUPTED':
      return `${event.type} ${event.reason}, heard ${JSON.stringify(event.heard)}`
    case 'RESPONSE_DELAYED':
      return `${event.type} ${event.reason}`
    case 'ERROR_OCCURRED':
      return `${event.type} ${event.code}: ${event.message}`
    default:
      return event.type
  }
}
