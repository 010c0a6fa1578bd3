import { Subject } from 'rxjs'
import type { InspectionEvent } from 'xstate'
import type { Clock, Milliseconds, ServiceEvent, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import type { Backend } from '../backends/contract.ts'
import type { Conversation } from '../conversations/conversation.ts'
import type { ConversationStore } from '../persistence/store.ts'
import type { EndpointDetector } from '../runtime/collaborators/detector.ts'
import type { LlmServiceOptions } from '../runtime/options.ts'
import { createLlmService, type LlmService } from '../runtime/service.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import type { Scenario } from './scenario.ts'
import { scriptedBackend, type ScriptedBackend } from './scripted-backend.ts'
import { scriptedSink, type ScriptedSink } from './scripted-sink.ts'
import { scriptedTools } from './scripted-tools.ts'
import { seededRandom } from './seeded-random.ts'
import { laterBy, virtualClock, type VirtualClock } from './virtual-clock.ts'

/** One thing that happened, told by whom it happened to. */
export interface TraceEntry {
  atMs: Milliseconds
  who: 'caller' | 'program' | 'machine' | 'service' | 'backend' | 'sink'
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

/** What a program has in its hands. */
export interface World {
  service: LlmService
  conversation: Conversation
  clock: VirtualClock
  /** The source that the conversation listens to. */
  speech: Subject<SpeechEvent>
}

/** What a file cannot hold. */
export interface Extras {
  detector?: EndpointDetector
  inspect?: (event: InspectionEvent) => void
  /** Where the service's clock stands at the first moment of the scenario. Default: somewhere, by the scenario's name. */
  startAtMs?: Milliseconds
  /** Keeps the conversation; made anew for each run, on its clock. */
  store?: (clock: Clock) => LaggingStore
  /** Options over those of the scenario: hooks, a logger. */
  options?: LlmServiceOptions
  /** What the service gets in the place of the scripted backend and sink, which it may wrap. */
  backend?: (backend: ScriptedBackend, clock: Clock) => Backend
  sink?: (sink: ScriptedSink, clock: Clock) => SpeechSink
  /** Does what programs do, beside the timeline; what it answers is called once nothing is due any more. */
  program?: (world: World) => () => void
  /** Timers of all of these, which are not the conversation's. */
  lingering?: () => number
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
  const { detector, inspect, startAtMs = someMoment(scenario.name) } = extras
  const store = extras.store?.(clock)
  const options: LlmServiceOptions = {
    ...scenario.options,
    ...extras.options,
    ...(detector === undefined ? {} : { endpointing: { ...scenario.options?.endpointing, detector } }),
    ...(inspect === undefined ? {} : { inspect }),
    ...(store === undefined ? {} : { store }),
    defaultModel,
    clock: laterBy(clock, startAtMs),
    random: seededRandom(1),
    tools: scriptedTools(scenario.tools, clock),
    backend: extras.backend?.(backend, clock) ?? backend,
    sink: extras.sink?.(sink, clock) ?? sink,
  }
  const service = createLlmService(options)
  const events: ServiceEvent[] = []
  const tellMachine = tell('machine')
  const tellService = tell('service')
  const telling = service.events.subscribe((told) => {
    const event = { ...told, atMs: told.atMs - startAtMs }
    events.push(event)
    if (event.type === 'STATE_CHANGED') tellMachine(`${event.from} -> ${event.to}`, event)
    else tellService(inWords(event), event)
  })
  await service.initialize()
  const conversation = service.conversation()
  const speech = new Subject<SpeechEvent>()
  const listening = conversation.listenTo(speech)
  const atRest = extras.program?.({ service, conversation, clock, speech })
  const tellCaller = tell('caller')
  const tellProgram = tell('program')
  const state = () => stateOf(conversation.actor.getSnapshot().value)
  const states = new Map<Milliseconds, string>()
  const scheduled = { atTheEnd: 0, onceStopped: 0, onceClosed: 0 }
  const left = () => clock.pending - backend.lingering - (store?.lingering ?? 0) - (extras.lingering?.() ?? 0)

  const moments = scenario.expect.flatMap((check) => ('state' in check ? [check.at] : [])).sort((a, b) => a - b)
  const look = async (beforeMs: Milliseconds) => {
    for (let at = moments[0]; at !== undefined && at < beforeMs; at = moments[0]) {
      moments.shift()
      await clock.advanceTo(at)
      states.set(at, state())
    }
  }

  for (const happening of scenario.timeline) {
    await look(happening.atMs)
    await clock.advanceTo(happening.atMs)
    if ('act' in happening) {
      const { act, text } = happening
      tellProgram(act === 'REPLY_UNWANTED' ? act : `${act} ${JSON.stringify(text)}`)
      const refused = (error: unknown) => tellProgram(`refused: ${String(error)}`)
      if (act === 'CALLER_TYPED') conversation.ask(text).catch(refused)
      else if (act === 'ANNOUNCEMENT_MADE') conversation.say(text).catch(refused)
      else conversation.interrupt()
    } else {
      const { event } = happening
      tellCaller('text' in event ? `${event.type} ${JSON.stringify(event.text)}` : event.type)
      speech.next(event)
    }
    await clock.settle()
    if ('event' in happening && happening.event.type === 'SYSTEM_STOPPED') scheduled.onceStopped += left()
  }
  await look(Infinity)
  await clock.advanceTo(scenario.untilMs ?? 0)
  await clock.runUntilIdle(Math.max(longestRunMs, scenario.untilMs ?? 0))
  atRest?.()
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

/** The same for the same name. A whole number: sums with it are exact. */
function someMoment(name: string): Milliseconds {
  let hash = 0
  for (const char of name) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0
  return hash
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
