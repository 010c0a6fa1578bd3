import { map, merge, Subject, type Observable, type Subscription } from 'rxjs'
import type { ErrorCode, Milliseconds, ServiceEvent } from '../../machines/vocabulary.ts'
import { LlmError, type BackendEnd, type ChatRequest, type ToolCall } from '../backends/contract.ts'
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
import { isolateSubscribers } from './isolate-subscribers.ts'
import { partsOf, type LlmServiceOptions } from './options.ts'

export interface ChatResponse extends BackendEnd {
  text: string
  thinking?: string
  /** Functions that the model wants called; nobody calls them here. */
  toolCalls?: ToolCall[]
  backend: string
}

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
  const { settings, clock, random, bus, logger, inspect } = parts
  const connections = createConnections(parts)
  const published = new Subject<ServiceEvent>()
  const parse = createSpeechParser(settings.limits.utteranceChars)
  const life = new AbortController()
  let onBus: Subscription | undefined
  let lookout: Promise<void> | undefined

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
    parts.store &&
    createArchive({
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

  /** A subscriber that throws is isolated by RxJS; a bus that throws is reported and left alone. */
  function publish(event: ServiceEvent): void {
    published.next(event)
    try {
      bus?.publish(event)
    } catch (error) {
      logger?.warn({ error: String(error) }, 'the event bus threw in publish')
    }
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
        (error: unknown) => logger?.debug({ error: String(error) }, 'no backend yet'),
      )
      .finally(() => (lookout = undefined))
  }

  function hearBus(raw: unknown): void {
    const parsed = parse(raw)
    try {
      if (parsed.ok) return residents.hear(parsed.event)
      // What is refused changes nothing: no conversation begins with it.
      const id = claimedBy(raw)
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
    if (text.trim() === '') throw new LlmError('bad-input', { message: 'the text is empty; give at least one word' })
    return replyFrom(residents.unattended({ changes: changesFor(given), history: given.history }), text, given, logger)
  }

  return {
    async initialize() {
      if (bus && onBus === undefined) {
        const speech = merge(...speechTypes.map((type) => bus.on(type).pipe(map((payload) => fromBus(type, payload)))))
        onBus = speech.subscribe({
          next: hearBus,
          error: () => notice('speech-source', 'the event bus ended with an error; nothing more is heard from it'),
        })
      }
      await archive?.open().catch((cause: unknown) => {
        const message = cause instanceof LlmError ? cause.message : 'the store could not be opened; see the cause'
        throw new LlmError('config', { message, cause })
      })
      return connections.to({}).info(life.signal)
    },
    events: isolateSubscribers(published, logger),
    conversation: (id = 'default', given) => residents.conversation(id, given),
    conversations: isolateSubscribers(residents.lines, logger),
    generate,
    async chat(text, given = {}) {
      const result = await generate(text, given).result
      if (result.ok) return result.text
      throw given.signal?.aborted === true ? given.signal.reason : result.error
    },
    async sendRequest(request, given = {}) {
      const signal = given.signal === undefined ? life.signal : AbortSignal.any([given.signal, life.signal])
      const backend = await connections.to({}).connect(signal)
      let text = ''
      let thinking = ''
      const toolCalls: ToolCall[] = []
      const end = await backend.stream(
        request,
        (record) => {
          if (record.type === 'tool-calls') toolCalls.push(...record.calls)
          if (record.type !== 'delta') return
          if (record.kind === 'text') text += record.text
          else thinking += record.text
        },
        signal,
      )
      return {
        ...end,
        text,
        backend: backend.name,
        ...(thinking === '' ? {} : { thinking }),
        ...(toolCalls.length === 0 ? {} : { toolCalls }),
      }
    },
    checkConnection: () => connections.to({}).check(),
    diagnose: () => diagnose(connections.to({}), settings, clock),
    stop: () => residents.stopAll(),
    async drain(graceMs = 10_000) {
      await residents.drain(graceMs)
      await close()
    },
    close,
  }

  async function close(): Promise<void> {
    life.abort()
    onBus?.unsubscribe()
    const left = residents.close()
    generation.close()
    await Promise.all([left, archive?.close(), connections.close()])
    published.complete()
  }
}

/** The conversation that a refused event says it belongs to. */
function claimedBy(raw: unknown): string {
  const id = typeof raw === 'object' && raw !== null && 'conversationId' in raw ? raw.conversationId : undefined
  return typeof id === 'string' && id !== '' && id.length <= 200 ? id : 'default'
}
