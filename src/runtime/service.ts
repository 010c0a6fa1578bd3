import { map, merge, Subject, type Observable, type Subscription } from 'rxjs'
import type { ErrorCode, Milliseconds, ServiceEvent } from '../../machines/vocabulary.ts'
import { LlmError, type ChatRequest } from '../backends/contract.ts'
import type { BackendInfo, ConnectionReport } from '../connecting/backend-connection.ts'
import { createConnections } from '../connecting/connections.ts'
import { changesFor, usualCharacter, type ConversationSettings } from '../conversations/character.ts'
import type { Conversation } from '../conversations/conversation.ts'
import { replyFrom, type GenerateOptions, type Reply } from '../conversations/generate.ts'
import type { ConversationLine } from '../conversations/lines.ts'
import { createResidents, type Residents } from '../conversations/residents.ts'
import type { Replies } from '../conversations/turn/replies.ts'
import { provideConversations } from '../conversations/world.ts'
import { diagnose, type Diagnosis } from '../diagnosing/diagnose.ts'
import { createGeneration } from '../generation/index.ts'
import { fromBus } from '../listening/from-bus.ts'
import { createSpeechParser } from '../listening/parse-speech.ts'
import { createArchive } from '../persistence/archive.ts'
import { createSegmenter } from '../speaking/segmenter.ts'
import { checkSignal, givenText } from '../conversations/given.ts'
import { wordsOf } from './collaborators/report.ts'
import { isolateSubscribers } from './isolate-subscribers.ts'
import { partsOf, type LlmServiceOptions } from './options.ts'
import { checkRequest, sendRequest, type ChatResponse } from './send-request.ts'
import { closed, whileOpen } from './while-open.ts'

/** Conversations with a language model: what speech services, programs and the bus talk to. */
export interface LlmService {
  /** Connects the bus and detects which API the backend speaks. Rejects for `config` alone: a server that is not there yet is looked for again. */
  initialize(): Promise<BackendInfo>
  readonly events: Observable<ServiceEvent>
  /**
   * The same id gives the same conversation while it lives; settings of a live one are `configure`. Throws LlmError:
   * `config` for settings that are not allowed, `overloaded` where `limits.conversations` is reached and none is idle.
   */
  conversation(id?: string, settings?: ConversationSettings): Conversation
  /** The conversation of this id where it is in memory; opens none. */
  find(id: string): Conversation | undefined
  /** What is in memory, as it changes. */
  readonly conversations: Observable<readonly ConversationLine[]>
  /** One reply with events, outside any conversation. */
  generate(text: string, options?: GenerateOptions): Reply
  /** Its text; rejects with LlmError. */
  chat(text: string, options?: GenerateOptions): Promise<string>
  /** One attempt, no policy. Rejects with LlmError, or with the signal's reason. */
  sendRequest(request: ChatRequest, options?: { signal?: AbortSignal }): Promise<ChatResponse>
  /** One cheap look. */
  checkConnection(): Promise<ConnectionReport>
  diagnose(): Promise<Diagnosis>
  /** Ends every conversation: `stopped`. */
  stop(): Promise<void>
  /** Leaves: every conversation is closed, none is `stopped`, and everything is free. */
  close(): Promise<void>
  /**
   * Closes without cutting anybody short: takes no new turns, lets those that run end for `graceMs` (10 000) at most, then
   * closes.
   */
  drain(graceMs?: Milliseconds): Promise<void>
}

/** The six names that colloquy subscribes to on a shared bus. */
const speechTypes = [
  'SPEECH_STARTED',
  'SPEECH_PARTIAL',
  'SPEECH_DETECTED',
  'SPEECH_ENDED',
  'AMBIENT_SPEECH_DETECTED',
  'SYSTEM_STOPPED',
] as const

/** Throws LlmError `config` for options that cannot work. */
export function createLlmService(options: LlmServiceOptions = {}): LlmService {
  const parts = partsOf(options)
  const { settings, clock, random, bus, logger, report, inspect } = parts
  const connections = createConnections(parts)
  const published = new Subject<ServiceEvent>()
  const parse = createSpeechParser(settings.limits.utteranceChars)
  const life = new AbortController()
  let onBus: Subscription | undefined
  let lookout: Promise<void> | undefined
  let closing: Promise<void> | undefined

  const generation = createGeneration({
    settings,
    clock,
    random,
    conversationOf: repliesOf,
    connect: (target, signal) => connections.to(target).connect(signal),
    forget: (target) => connections.to(target).forget(),
    ...(inspect === undefined ? {} : { inspect }),
    ...(parts.countTokens === undefined ? {} : { countTokens: parts.countTokens }),
    ...(parts.cacheStore === undefined ? {} : { cacheStore: parts.cacheStore }),
    createSegmenter: ({ language, segments }, unspokenMs) => createSegmenter({ language, segments, unspokenMs }),
    report: ({ code, message }) => notice(code, message),
  })

  // Last of what may refuse its options: a store that was taken is given back by closing alone.
  const archive =
    parts.store === undefined
      ? undefined
      : createArchive({
          store: parts.store,
          clock,
          loadMs: settings.timeouts.storeLoadMs,
          report({ code, message }, conversationId = 'service') {
            logger?.warn({ conversationId, code }, message)
            notice(code, message, conversationId)
          },
        })

  const residents: Residents = createResidents({
    clock,
    logger,
    report,
    archive,
    parse,
    inspect,
    limits: settings.limits,
    usual: usualCharacter(parts, archive !== undefined),
    settingsOf: parts.settingsOf,
    publish,
    machine: provideConversations({ clock, reply: generation.replyLogic, embodimentOf: repliesOf, onDetecting }),
  })

  /** Replies, players and detectors ask for the conversation that they belong to: they live no longer than it does. */
  function repliesOf(id: string): Replies {
    const resident = residents.acting(id)
    if (resident === undefined) throw new Error(`no conversation ${id} is in memory`)
    return resident.replies
  }

  function publish(event: ServiceEvent): void {
    published.next(event)
    bus?.publish(event)
  }

  /** An error outside any conversation. */
  function notice(code: ErrorCode, message: string, conversationId = 'service'): void {
    publish({
      type: 'ERROR_OCCURRED',
      conversationId,
      atMs: clock.now(),
      code,
      message,
      recoverable: true,
    })
  }

  /** One look at a time, for all conversations that begin to listen. */
  function onDetecting(): void {
    lookout ??= connections
      .to({})
      .connect(life.signal)
      .then(
        () => {},
        // The reply will meet the same fault and report it; here it was only a look ahead.
        (error: unknown) => void logger?.debug({ error: wordsOf(error) }, 'no backend yet'),
      )
      .finally(() => {
        lookout = undefined
      })
  }

  function hearBus(raw: unknown): void {
    const parsed = parse(raw)
    try {
      if (parsed.ok) return residents.hear(parsed.event)
      // What is refused changes nothing: no conversation begins with it.
      const id = parsed.conversationId ?? 'default'
      const known = residents.find(id)
      if (known === undefined) notice('bad-input', parsed.message, id)
      else known.refuse(parsed.message)
    } catch (error) {
      // Too many conversations: thrown to a caller, reported on a bus.
      if (!(error instanceof LlmError)) throw error
      notice(error.code, error.message)
    }
  }

  function generate(text: string, given: GenerateOptions = {}): Reply {
    if (life.signal.aborted) throw closed()
    givenText(text, Infinity)
    checkSignal(given.signal)
    return replyFrom(residents.unattended({ changes: changesFor(given), history: given.history }), text, given, report)
  }

  /** undefined: it is heard already. */
  function listenToBus(): Subscription | undefined {
    if (bus === undefined || onBus?.closed === false) return undefined
    const speech = merge(...speechTypes.map((type) => bus.on(type).pipe(map((payload) => fromBus(type, payload)))))
    onBus = speech.subscribe({
      next: hearBus,
      error: (thrown: unknown) => {
        const message = 'the event bus ended with an error; nothing more is heard from it until initialize() is called'
        logger?.warn({ error: wordsOf(thrown) }, message)
        notice('speech-source', message)
      },
    })
    return onBus
  }

  async function initialize(signal: AbortSignal): Promise<BackendInfo> {
    const begun = listenToBus()
    try {
      await archive?.open().catch((cause: unknown) => {
        const message = cause instanceof LlmError ? cause.message : 'the store could not be opened; see the cause'
        throw new LlmError('config', { message, cause })
      })
      return await connections.to({}).info(signal)
    } catch (error) {
      begun?.unsubscribe()
      throw error
    }
  }

  async function close(): Promise<void> {
    life.abort()
    onBus?.unsubscribe()
    const left = residents.close()
    generation.close()
    await left
    await archive?.close()
    await connections.close().catch((error: unknown) => report('the engine could not be closed', error))
    published.complete()
  }

  return {
    initialize: () => whileOpen(life.signal, initialize),
    events: isolateSubscribers(published, report),
    conversation: (id = 'default', given) => residents.conversation(id, given),
    find: (id) => (residents.find(id) === undefined ? undefined : residents.conversation(id)),
    conversations: isolateSubscribers(residents.lines, report),
    generate,
    async chat(text, given = {}) {
      const result = await generate(text, given).result
      if (result.ok) return result.text
      throw given.signal?.aborted === true ? given.signal.reason : result.error
    },
    async sendRequest(request, { signal: given } = {}) {
      checkRequest(request)
      checkSignal(given)
      const send = async (signal: AbortSignal) => sendRequest(await connections.to({}).connect(signal), request, signal)
      return whileOpen(life.signal, send, given)
    },
    checkConnection: () => whileOpen(life.signal, (signal) => connections.to({}).check(signal)),
    diagnose: () => whileOpen(life.signal, (signal) => diagnose(connections.to({}), settings, clock, signal)),
    stop: () => residents.stopAll(),
    async drain(graceMs = 10_000) {
      await residents.drain(graceMs)
      await (closing ??= close())
    },
    close: () => (closing ??= close()),
  }
}
