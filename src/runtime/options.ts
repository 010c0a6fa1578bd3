import type { InspectionEvent } from 'xstate'
import type { Clock } from '../../machines/vocabulary.ts'
import type { Backend } from '../backends/contract.ts'
import type { ConfigInput, Settings } from '../config/config.ts'
import { parseConfig } from '../config/parse-config.ts'
import {
  createToolbox,
  type CacheStore,
  type CountTokens,
  type Facts,
  type Tool,
  type Toolbox,
} from '../generation/index.ts'
import type { AmbientPolicy } from '../listening/ambient-policy.ts'
import type { ConversationStore } from '../persistence/store.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import { systemClock } from './clock.ts'
import { guardAmbientPolicy } from './collaborators/ambient-policy.ts'
import { guardBackend } from './collaborators/backend.ts'
import { guardBus, type GuardedBus } from './collaborators/bus.ts'
import { demand, hasMethods } from './collaborators/check.ts'
import { guardDetector, type EndpointDetector, type GuardedDetector } from './collaborators/detector.ts'
import { guardInspector, type Inspect } from './collaborators/inspector.ts'
import { guardLogger, type Logger } from './collaborators/logger.ts'
import { guardCountTokens, guardFacts, type ContextFacts } from './collaborators/prompt-hooks.ts'
import { guardRandom } from './collaborators/random.ts'
import { reportTo, type Report } from './collaborators/report.ts'
import { guardSettingsOf, type SettingsOf } from './collaborators/settings-of.ts'
import { checkSink } from './collaborators/sink.ts'
import type { EventBus } from './event-bus.ts'

/** What a program brings along, beside configuration. */
export interface Collaborators {
  bus?: EventBus
  /**
   * Speaks for every conversation that is not given a sink of its own. Its `stallMs` is configuration, which may also
   * stand here alone.
   */
  sink?: (SpeechSink & SinkConfig) | SinkConfig
  /** Used instead of connecting to `baseUrl`: the embedded engine, or a scripted backend in a test. */
  backend?: Backend
  /** Counts tokens exactly. Default: the engine's tokenizer where it has one, else an estimate that learns. */
  countTokens?: CountTokens
  /** Keeps conversations between two runs of the program, see `sqliteStore`. The service closes it. Default: none. */
  store?: ConversationStore
  /** Keeps replies for `cache.enabled`. Default: memory. */
  cacheStore?: CacheStore
  /** Functions that the model may call while it replies, by name; see `defineTool`. */
  tools?: Readonly<Record<string, Tool>>
  /** One that throws or rejects is left out from then on. */
  inspect?: Inspect
  /** Settings of a conversation that opens without any: the bus or the wire opened it. Asked each time it opens. */
  settingsOf?: SettingsOf
  logger?: Logger
  /** Must be monotonic. It is trusted as it is: nothing works without a clock. */
  clock?: Clock
  /** From 0 up to 1, like Math.random. 0.5 stands in for anything else. */
  random?: () => number
}

type SinkConfig = NonNullable<ConfigInput['sink']>

/** Configuration with the hooks and the sink that stand inside its sections. */
export type ConfigWithHooks = Omit<ConfigInput, 'endpointing' | 'ambient' | 'context' | 'sink'> & {
  context?: ConfigInput['context'] & { facts?: ContextFacts }
  endpointing?: ConfigInput['endpointing'] & { detector?: EndpointDetector }
  ambient?: Omit<NonNullable<ConfigInput['ambient']>, 'policy'> & {
    policy?: 'wake' | 'ignore' | 'context' | AmbientPolicy
  }
}

export type LlmServiceOptions = ConfigWithHooks & Collaborators

/** Options, taken apart and complete. What the program gave is behind its guard, and nobody looks at it again. */
export interface ServiceParts {
  settings: Settings
  detector: GuardedDetector | undefined
  ambientPolicy: AmbientPolicy | undefined
  facts: Facts | undefined
  countTokens: CountTokens | undefined
  /** Guarded by the reply cache. */
  cacheStore: CacheStore | undefined
  /** Guarded by the archive. */
  store: ConversationStore | undefined
  /** Guards the functions in it. */
  toolbox: Toolbox
  settingsOf: SettingsOf | undefined
  clock: Clock
  random: () => number
  bus: GuardedBus | undefined
  /** Guarded by each conversation, which reports what is wrong with it. */
  sink: SpeechSink | undefined
  backend: Backend | undefined
  inspect: ((event: InspectionEvent) => void) | undefined
  logger: Logger | undefined
  report: Report
}

/** Parses the options. Throws LlmError `config` that names the first wrong key and what is allowed. */
export function partsOf(options: LlmServiceOptions): ServiceParts {
  const { bus, sink, backend, countTokens, cacheStore, store, tools, inspect, random, settingsOf, ...others } = options
  const { logger: givenLogger, clock = systemClock, ...rest } = others
  const { endpointing = {}, ambient = {}, context = {}, ...config } = rest
  const { facts, ...contextConfig } = context
  const { detector, ...endpointingConfig } = endpointing
  const { policy, ...ambientConfig } = ambient
  const speaks = isSpeechSink(sink)
  const settings = parseConfig({
    ...config,
    endpointing: endpointingConfig,
    context: contextConfig,
    ambient: { ...ambientConfig, ...(typeof policy === 'function' || policy === undefined ? {} : { policy }) },
    ...(speaks
      ? { sink: sink.stallMs === undefined ? {} : { stallMs: sink.stallMs } }
      : sink === undefined
        ? {}
        : { sink }),
  })
  if (speaks) checkSink(sink)
  demand(hasMethods(clock, 'now', 'schedule'), 'clock must have the methods now and schedule, such as systemClock')
  const logger = guarded(givenLogger, guardLogger)
  const report = reportTo(logger)
  return {
    settings,
    detector: guarded(detector, (given) => guardDetector(given, clock, report)),
    ambientPolicy: typeof policy === 'function' ? guardAmbientPolicy(policy, clock, report) : undefined,
    facts: guarded(facts, (given) => guardFacts(given, clock, report)),
    countTokens: guarded(countTokens, (given) => guardCountTokens(given, clock, report)),
    cacheStore,
    store,
    toolbox: createToolbox(tools),
    settingsOf: guarded(settingsOf, guardSettingsOf),
    clock,
    random: guardRandom(random ?? Math.random, report),
    bus: guarded(bus, (given) => guardBus(given, report)),
    sink: speaks ? sink : undefined,
    backend: guarded(backend, (given) => guardBackend(given, clock, report)),
    inspect: guarded(inspect, (given) => guardInspector(given, report)),
    logger,
    report,
  }
}

/** From JavaScript, null says as well that there is none. */
function guarded<Given, Guarded>(given: Given | null | undefined, guard: (given: Given) => Guarded) {
  return given === undefined || given === null ? undefined : guard(given)
}

function isSpeechSink(sink: unknown): sink is SpeechSink & SinkConfig {
  return typeof sink === 'object' && sink !== null && 'play' in sink
}
