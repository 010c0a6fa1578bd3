import { setMaxListeners } from 'node:events'
import { merge, Subject, type Observable, type Subscription } from 'rxjs'
import type { ErrorCode, Milliseconds, ServiceEvent } from '../../machines/vocabulary.ts'
import { LlmError, type ChatRequest } from '../backends/contract.ts'
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
import { checkSignal, givenText } from '../conversations/given.ts'
import { diagnose, type Diagnosis } from '../diagnosing/diagnose.ts'
import { wordsOf } from './collaborators/report.ts'
import { isolateSubscribers } from './isolate-subscribers.ts'
import { partsOf, type LlmServiceOptions } from './options.ts'
import { checkRequest, sendRequest, type ChatResponse } from './send-request.ts'
import { closed, whileOpen } from './while-open.ts'
import { startReply, type GenerateOptions, type Reply } from '../conversations/single-reply.ts'

/** Conversations with a language model: what speech services, programs and the bus talk to. */
export interface LlmService {
  /** Connects the bus and finds out which API the backend speaks. Rejects for `config` alone: a server that is not there yet is looked for again. */
  initialize(): Promise<BackendInfo>
  readonly events: Observable<ServiceEvent>
  /** The same id gives the same conversation; options count when it is made. */
  conversation(id?: string, options?: ConversationOptions): Conversation
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
  const { settings, clock, random, bus, logger, report } = parts
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
  let closing: Promise<void> | undefined

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

  function onDetecting(): void {
    connections
      .to({})
      .connect(life.signal)
      .then(
        () => {},
        // The reply will meet the same fault and tell it; here it was only a look ahead.
        (error: unknown) => logger?.debug({ error: wordsOf(error) }, 'no backend yet'),
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
      const id = parsed.conversationId ?? 'default'
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
    if (life.signal.aborted) throw closed()
    givenText(text, Infinity)
    checkSignal(given.signal)
    const replyId = `single-${(replies += 1)}`
    const reply = startReply(text, given, {
      replyId,
      generation,
      clock,
      settings,
      report,
      inspect: parts.inspect,
      publish,
    })
    singles.add(reply)
    void reply.result.then(() => singles.delete(reply))
    return reply
  }

  /** undefined: it is heard already. */
  function listenToBus(): Subscription | undefined {
    if (bus === undefined || onBus?.closed === false) return undefined
    const speech = merge(...speechTypes.map((type) => bus.on(type)))
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
    for (const one of conversations.values()) one.close()
    for (const reply of singles) reply.cancel()
    conversations.clear()
    generation.close()
    await archive?.close()
    await connections.close().catch((error: unknown) => report('the engine could not be closed', error))
    published.complete()
  }

  return {
    initialize: () => whileOpen(life.signal, initialize),
    events: isolateSubscribers(published, report),
    conversation,
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
    async stop() {
      await Promise.all([...conversations.values()].map((one) => one.stop()))
    },
    close: () => (closing ??= close()),
  }
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
