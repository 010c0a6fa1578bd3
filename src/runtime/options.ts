import type { InspectionEvent, Observer } from 'xstate'
import type { Clock } from '../../machines/vocabulary.ts'
import { LlmError, type Backend } from '../backends/contract.ts'
import type { ConfigInput, Settings } from '../config/config.ts'
import { parseConfig } from '../config/parse-config.ts'
import { createToolbox, type CacheStore, type CountTokens, type Tool, type Toolbox } from '../generation/index.ts'
import type { ConversationSettings } from '../conversations/character.ts'
import type { AmbientPolicy } from '../listening/ambient-policy.ts'
import type { ConversationStore } from '../persistence/store.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import { systemClock } from './clock.ts'
import type { EventBus } from './event-bus.ts'

/** Where colloquy writes what it did. pino fits. No transcript and no secret is ever passed. */
export interface Logger {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

/**
 * Says how likely the caller has finished, from 0 to 1. Below `endpointing.threshold` the turn waits for maxDelayMs.
 * One that fails or takes longer than 500 ms is not asked again for these words.
 */
export type EndpointDetector = (
  turn: { conversationId: string; text: string },
  signal: AbortSignal,
) => Promise<{ endOfTurn: number }>

/**
 * What is true now: the time, who is at home. Written into the newest user message of a prompt and nowhere else, so that
 * the prefix which the server has cached stays valid; it is not remembered.
 */
export type ContextFacts = () => string

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
  /** Settings of a conversation that opens without any: the bus or the wire opened it. Asked each time it opens. */
  settingsOf?: (id: string) => ConversationSettings | undefined
  inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void)
  logger?: Logger
  clock?: Clock
  /** From 0 up to 1, like Math.random. */
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

/** Options, taken apart and complete. */
export interface ServiceParts {
  settings: Settings
  detector: EndpointDetector | undefined
  ambientPolicy: AmbientPolicy | undefined
  facts: ContextFacts | undefined
  countTokens: CountTokens | undefined
  cacheStore: CacheStore | undefined
  store: ConversationStore | undefined
  toolbox: Toolbox
  settingsOf: ((id: string) => ConversationSettings | undefined) | undefined
  clock: Clock
  random: () => number
  bus: EventBus | undefined
  sink: SpeechSink | undefined
  backend: Backend | undefined
  inspect: ((event: InspectionEvent) => void) | undefined
  logger: Logger | undefined
}

/** Parses the options. Throws LlmError `config` that names the first wrong key and what is allowed. */
export function partsOf(options: LlmServiceOptions): ServiceParts {
  const { bus, sink, backend, countTokens, cacheStore, store, tools, inspect, clock, random, settingsOf, ...others } =
    options
  const { logger: given, ...rest } = others
  const logger = given === undefined ? undefined : harmless(given)
  const { endpointing = {}, ambient = {}, context = {}, ...config } = rest
  const { facts, ...contextConfig } = context
  const { detector, ...endpointingConfig } = endpointing
  const { policy, ...ambientConfig } = ambient
  const speaks = isSpeechSink(sink)
  const settings = parseConfig({
    ...config,
    endpointing: endpointingConfig,
    context: contextConfig,
    ambient: { ...ambientConfig, ...(typeof policy === 'string' ? { policy } : {}) },
    ...(speaks
      ? { sink: sink.stallMs === undefined ? {} : { stallMs: sink.stallMs } }
      : sink === undefined
        ? {}
        : { sink }),
  })
  return {
    settings,
    detector,
    ambientPolicy: typeof policy === 'function' ? policy : undefined,
    facts: facts === undefined ? undefined : harmlessFacts(facts, logger),
    countTokens,
    cacheStore,
    store: store === undefined ? undefined : checkedStore(store),
    toolbox: createToolbox(tools),
    settingsOf,
    clock: clock ?? systemClock,
    random: random ?? Math.random,
    bus,
    sink: speaks ? sink : undefined,
    backend,
    inspect: inspect === undefined ? undefined : guarded(inspect, logger),
    logger,
  }
}

function isSpeechSink(sink: LlmServiceOptions['sink']): sink is SpeechSink & SinkConfig {
  return sink !== undefined && 'play' in sink
}

const methodsOfStore = ['open', 'load', 'commit', 'setAside', 'list', 'delete', 'close'] as const

/** A path in a store's place is the first mistake that everybody makes. */
function checkedStore(store: ConversationStore): ConversationStore {
  const given: unknown = store
  const isStore =
    typeof given === 'object' && given !== null && methodsOfStore.every((name) => typeof store[name] === 'function')
  if (isStore) return store
  const message = "store must be a ConversationStore, such as sqliteStore({ file: 'conversations.db' })"
  throw new LlmError('config', { message })
}

/** A logger that throws must end nothing: what it is told of goes on. */
function harmless(logger: Logger): Logger {
  const write = (level: keyof Logger) => (facts: object, message: string) => {
    try {
      logger[level](facts, message)
    } catch (error) {
      process.emitWarning(`the logger threw in ${level}`, { detail: String(error) })
    }
  }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** A hook that throws costs the facts of one prompt, not the reply. */
export function harmlessFacts(facts: ContextFacts, logger: Logger | undefined): ContextFacts {
  return () => {
    try {
      return facts()
    } catch (error) {
      logger?.warn({ error: String(error) }, 'context.facts threw; this prompt goes without')
      return ''
    }
  }
}

/** An inspector that throws must never stop a mailbox (it does, if XState sees the error). */
function guarded(
  inspect: NonNullable<Collaborators['inspect']>,
  logger: Logger | undefined,
): (event: InspectionEvent) => void {
  let isBroken = false
  return (event) => {
    if (isBroken) return
    try {
      if (typeof inspect === 'function') inspect(event)
      else inspect.next?.(event)
    } catch (error) {
      isBroken = true
      logger?.warn({ error: String(error) }, 'the inspector threw and is left out from now on')
    }
  }
}
