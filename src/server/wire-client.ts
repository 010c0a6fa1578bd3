import type { Subscription } from 'rxjs'
import type { RawData, WebSocket } from 'ws'
import { LlmError, type Clock, type SpeechEvent } from '../index.ts'
import type { Channel } from './channel.ts'
import type { Guard } from './guard.ts'
import type { Hub } from './hub.ts'
import { clientMessages, protocolVersion, type Answering, type ClientMessage, type ServerMessage } from './protocol.ts'

export interface WireLimits {
  utteranceChars: number
  messageBytes: number
  /** What a reader may have waiting before it is cut. */
  bufferedBytes: number
  /** Conversations that one client may have open at a time. */
  openPerClient: number
}

export interface WireContext {
  hub: Hub
  clock: Clock
  guard: Guard
  limits: WireLimits
  answering: Answering
  version: string
}

/** Close codes beside those of the standard. */
export const closeCodes = { unauthorized: 4401, noHello: 4408, version: 4426 } as const

/** A client that has not said hello by then is no client. */
const helloMs = 5_000

/** One socket, from hello to close: what it says is checked and passed on, what it watches is told. */
export function serveClient(socket: WebSocket, isTrusted: boolean, context: WireContext): void {
  const { hub, clock, guard, limits } = context
  const messages = clientMessages(limits.utteranceChars)
  const watched = new Map<string, { channel: Channel; watching: Subscription }>()
  const voices = new Map<string, Subscription>()
  const speaking = new Set<string>()
  let isGreeted = false
  let stopList = () => {}
  const cancelHello = clock.schedule(() => socket.close(closeCodes.noHello, 'say hello first'), helloMs)

  const send = (message: ServerMessage) => {
    if (socket.readyState !== socket.OPEN) return
    if (socket.bufferedAmount > limits.bufferedBytes) return cut()
    socket.send(JSON.stringify(message))
  }

  /** A reader that does not read must not fill our memory: no farewell either, it would wait behind the rest. */
  function cut(): void {
    socket.terminate()
  }

  const refuse = (message: string, conversationId = 'wire') =>
    send({ type: 'ERROR_OCCURRED', conversationId, atMs: clock.now(), code: 'bad-input', message, recoverable: true })

  function watch(conversationId: string): Channel | undefined {
    const known = watched.get(conversationId)
    if (known !== undefined) return known.channel
    if (watched.size >= limits.openPerClient) {
      refuse(`${limits.openPerClient} conversations are open here; leave some first`, conversationId)
      return undefined
    }
    const channel = hub.channel(conversationId)
    watched.set(conversationId, { channel, watching: channel.watch(send) })
    return channel
  }

  /** After all that was said before. */
  function leave(conversationId: string): void {
    const left = watched.get(conversationId)
    watched.delete(conversationId)
    left?.channel.whenReady(() => {
      dropVoice(conversationId)
      left.watching.unsubscribe()
    })
  }

  function greet(message: Extract<ClientMessage, { type: 'hello' }>): void {
    if (message.v !== protocolVersion) {
      const reason = `this server speaks version ${protocolVersion} of the protocol`
      refuse(reason)
      return socket.close(closeCodes.version, reason)
    }
    const refusal = isTrusted ? undefined : guard.token(message.token)
    if (refusal !== undefined) {
      refuse(refusal.message)
      return socket.close(closeCodes.unauthorized, refusal.message.slice(0, 120))
    }
    cancelHello()
    if (isGreeted) return
    isGreeted = true
    const { answering, version } = context
    const { utteranceChars, messageBytes } = limits
    send({
      type: 'hello',
      v: protocolVersion,
      version,
      answering,
      limits: { utteranceChars, messageBytes },
      atMs: clock.now(),
    })
    const list = (conversations: ReturnType<Hub['lines']>) => send({ type: 'conversations', conversations })
    list(hub.lines())
    stopList = hub.onChange(list)
  }

  async function ask({ conversationId, text, id }: Extract<ClientMessage, { type: 'ask' }>): Promise<void> {
    const { conversation } = hub.channel(conversationId)
    if (conversation.actor.getSnapshot().status !== 'active')
      return refuse('this conversation is over; begin a new one', conversationId)
    const outcome = await conversation.ask(text)
    send({ type: 'outcome', conversationId, ...(id === undefined ? {} : { id }), outcome })
  }

  function hear(event: SpeechEvent & { conversationId: string }): void {
    if (event.type === 'SPEECH_STARTED') speaking.add(event.conversationId)
    if (event.type === 'SPEECH_ENDED') speaking.delete(event.conversationId)
    hub.channel(event.conversationId).hear(event)
  }

  function dropVoice(conversationId: string): void {
    voices.get(conversationId)?.unsubscribe()
    voices.delete(conversationId)
  }

  function serve(message: ClientMessage): void {
    if (message.type === 'hello') return greet(message)
    if (message.type === 'leave') return leave(message.conversationId)
    // Whoever speaks in a conversation hears it as well.
    watch(message.conversationId)?.whenReady(() => {
      try {
        act(message)
      } catch (error) {
        failed(message.conversationId)(error)
      }
    })
  }

  function act(message: Exclude<ClientMessage, { type: 'hello' | 'leave' }>): void {
    const { conversationId } = message
    switch (message.type) {
      case 'open':
        return
      case 'ask':
        ask(message).catch(failed(conversationId))
        return
      case 'interrupt':
        return hub.channel(conversationId).conversation.interrupt()
      case 'take-voice':
        if (voices.has(conversationId)) return
        voices.set(conversationId, hub.channel(conversationId).takeVoice(send, message.canPause))
        return
      case 'drop-voice':
        return dropVoice(conversationId)
      case 'started':
      case 'progressed':
      case 'finished':
      case 'failed':
        return hub.channel(conversationId).acknowledge(message, send)
      default:
        return hear(withoutUndefined(message))
    }
  }

  const failed = (conversationId: string) => (error: unknown) => {
    if (!(error instanceof LlmError)) throw error
    refuse(error.message, conversationId)
  }

  socket.on('message', (data, isBinary) => {
    const parsed = messages.safeParse(isBinary ? undefined : readJson(textOf(data)))
    if (!parsed.success) return refuse(whatIsWrong(parsed.error.issues))
    if (!isGreeted && parsed.data.type !== 'hello') return socket.close(closeCodes.noHello, 'say hello first')
    try {
      serve(parsed.data)
    } catch (error) {
      failed('conversationId' in parsed.data ? parsed.data.conversationId : 'wire')(error)
    }
  })
  // What is wrong with a socket is followed by its close; a message too long closes with 1009.
  socket.on('error', () => socket.terminate())
  socket.on('close', () => {
    cancelHello()
    stopList()
    const endSpeech = (conversationId: string) => {
      if (speaking.delete(conversationId)) hub.channel(conversationId).hear({ type: 'SPEECH_ENDED', conversationId })
    }
    for (const conversationId of speaking) endSpeech(conversationId)
    for (const [conversationId, { channel }] of watched) {
      channel.whenReady(() => endSpeech(conversationId))
      leave(conversationId)
    }
  })
}

function textOf(data: RawData): string {
  const pieces = Array.isArray(data) ? data : [data instanceof ArrayBuffer ? Buffer.from(data) : data]
  return Buffer.concat(pieces).toString('utf8')
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** One line that names the field and never the words. */
function whatIsWrong(
  issues: readonly { code: string; path: PropertyKey[]; message: string; keys?: string[] }[],
): string {
  const [issue] = issues
  const field = issue?.path.map(String).join('.') ?? ''
  if (issue === undefined || (field === '' && issue.code === 'invalid_type'))
    return 'message refused: it must be one JSON object; docs/protocol.md lists them'
  if (issue.code === 'invalid_union') return 'message refused: its type is not known; docs/protocol.md lists them'
  if (issue.code === 'unrecognized_keys') return `message refused: unknown field ${issue.keys?.[0]?.slice(0, 40) ?? ''}`
  if (issue.code === 'invalid_type') return `message refused: ${field} is missing or has the wrong type`
  return `message refused: ${field} ${issue.code === 'too_big' || issue.code === 'custom' ? issue.message : 'is not valid'}`
}

type SpeechMessage = Extract<ClientMessage, { type: SpeechEvent['type'] }>

/** Zod gives an absent optional as absent, but its type allows undefined, which ours does not. */
function withoutUndefined(message: SpeechMessage): SpeechEvent & { conversationId: string } {
  const { conversationId, atMs } = message
  const where = { conversationId, ...(atMs === undefined ? {} : { atMs }) }
  switch (message.type) {
    case 'SPEECH_PARTIAL':
      return { type: message.type, text: message.text, ...where }
    case 'SPEECH_DETECTED':
    case 'AMBIENT_SPEECH_DETECTED': {
      const { type, text, speaker } = message
      return { type, text, ...(speaker === undefined ? {} : { speaker }), ...where }
    }
    default:
      return { type: message.type, ...where }
  }
}
