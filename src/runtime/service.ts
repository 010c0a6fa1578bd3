import { setMaxListeners } from 'node:events'
import { merge, Subject, type Observable, type Subscription } from 'rxjs'
import type { ErrorCode, Milliseconds, ServiceEvent } from '../../machines/vocabulary.ts'
import { LlmError, type BackendEnd, type ChatRequest, type ToolCall } from '../backends/contract.ts'
import { createGeneration } from '../generation/index.ts'
import { createSpeechParser } from '../listening/parse-speech.ts'
import { createArchive } from '../persistence/archive.ts'
import { createSegmenter } from '../speaking/segmenter.ts'
import type { BackendInfo, ConnectionReport } from '../connecting/backend-connection.ts'
import { createConnections } from '../connecting/connections.ts'
import {
  createConversation,
  type Conversation,
  type ConversationOptions,
  type HostedConversation,
} from '../conversations/conversation.ts'
import { diagnose, type Diagnosis } from '../diagnosing/diagnose.ts'
import { isolateSubscribers } from './isolate-subscribers.ts'
import { partsOf, type LlmServiceOptions } from './options.ts'
import { startReply, type GenerateOptions, type Reply } from '../conversations/single-reply.ts'

export interface ChatResponse extends BackendEnd {
  text: string
  thinking?: string
  /** Functions that the model wants called; nobody calls them here. */
  toolCalls?: ToolCall[]
  backend: string
}

/** Conversations with a language model: what speech services, programs and the bus talk to. */
export interface LlmService {
  /** Connects the bus and finds out which API the backend speaks. Rejects for `config` alone: a server that is not there yet is looked for again. */
  initialize(): Promise<BackendInfo>
  readonly events: Observable<ServiceEvent>
  /** The same id gives the same conversation; options count when it is made. */
  conversation(id?: string, options?: ConversationOptions): Conversation
  /** The conversation of this id where there is one in memory; opens none. */
  find(id: string): Conversation | undefined
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
  /** Leaves: ends no conversation, frees everything. */
  close(): Promise<void>
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
  const { settings, clock, random, bus, logger } = parts
  const connections = createConnections(parts)
  const conversations = new Map<string, HostedConversation>()
  const published = new Subject<ServiceEvent>()
  const parse = createSpeechParser(settings.limits.utteranceChars)
  const life = new AbortController()
  // Every conversation that begins to listen waits for the backend with it.
  setMaxListeners(0, life.signal)
  const singles = new Set<Reply>()
  let onBus: Subscription | undefined
  let replies = 0

  const generation = createGeneration({
    settings,
    clock,
    random,
    toolbox: parts.toolbox,
    connect: (target, signal) => connections.to(target).connect(signal),
    forget: (target) => connections.to(target).forget(),
    ...(parts.inspect === undefined ? {} : { inspect: parts.inspect }),
    ...(parts.facts === undefined ? {} : { facts: parts.facts }),
    ...(parts.countTokens === undefined ? {} : { countTokens: parts.countTokens }),
    ...(parts.cacheStore === undefined ? {} : { cacheStore: parts.cacheStore }),
    createSegmenter: (unspokenMs) =>
      createSegmenter({ language: settings.language, segments: settings.segments, unspokenMs }),
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

  function onDetecting(): void {
    connections
      .to({})
      .connect(life.signal)
      .then(
        () => {},
        // The reply will meet the same fault and tell it; here it was only a look ahead.
        (error: unknown) => logger?.debug({ error: String(error) }, 'no backend yet'),
      )
  }

  function conversation(id = 'default', given: ConversationOptions = {}): HostedConversation {
    const known = conversations.get(id)
    if (known) return known
    if (life.signal.aborted) throw closed()
    makeRoom(conversations, settings.limits.conversations)
    const created = createConversation(id, { options: given, parts, generation, archive, onDetecting })
    created.events.subscribe(publish)
    conversations.set(id, created)
    return created
  }

  function hearBus(raw: unknown): void {
    const parsed = parse(raw)
    if (!parsed.ok) {
      // What is refused changes nothing: no conversation begins with it.
      const id = claimedBy(raw)
      const known = conversations.get(id)
      return known === undefined ? notice('bad-input', parsed.message, id) : known.hear(raw)
    }
    const { event } = parsed
    if (event.type === 'SYSTEM_STOPPED' && event.conversationId === undefined) {
      for (const one of conversations.values()) one.hear(event)
      return
    }
    try {
      conversation(event.conversationId).hear(event)
    } catch (error) {
      // Too many conversations: thrown to a caller, told to a bus.
      if (!(error instanceof LlmError)) throw error
      notice(error.code, error.message)
    }
  }

  function generate(text: string, given: GenerateOptions = {}): Reply {
    if (text.trim() === '') throw new LlmError('bad-input', { message: 'the text is empty; give at least one word' })
    if (life.signal.aborted) throw closed()
    const replyId = `single-${(replies += 1)}`
    const reply = startReply(text, given, {
      replyId,
      generation,
      clock,
      settings,
      logger,
      inspect: parts.inspect,
      publish,
    })
    singles.add(reply)
    void reply.result.then(() => singles.delete(reply))
    return reply
  }

  return {
    async initialize() {
      if (bus && onBus === undefined) {
        const speech = merge(...speechTypes.map((type) => bus.on(type)))
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
    conversation,
    find: (id) => conversations.get(id),
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
    async stop() {
      await Promise.all([...conversations.values()].map((one) => one.stop()))
    },
    async close() {
      life.abort()
      onBus?.unsubscribe()
      for (const one of conversations.values()) one.close()
      for (const reply of singles) reply.cancel()
      conversations.clear()
      generation.close()
      await Promise.all([archive?.close(), connections.close()])
      published.complete()
    },
  }
}

/** The conversation that a refused event says it belongs to. */
function claimedBy(raw: unknown): string {
  const id = typeof raw === 'object' && raw !== null && 'conversationId' in raw ? raw.conversationId : undefined
  return typeof id === 'string' && id !== '' && id.length <= 200 ? id : 'default'
}

function closed(): LlmError {
  return new LlmError('config', { message: 'the service is closed; create a new one' })
}

/** Stopped conversations leave first; when all are alive the newest is refused. */
function makeRoom(conversations: Map<string, HostedConversation>, most: Milliseconds): void {
  if (conversations.size < most) return
  for (const [id, one] of conversations) {
    if (one.actor.getSnapshot().status === 'active') continue
    conversations.delete(id)
    return
  }
  throw new LlmError('overloaded', {
    message: `there are ${most} conversations already; stop some or raise limits.conversations`,
  })
}
