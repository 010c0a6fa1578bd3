import type { Subscription } from 'rxjs'
import { LlmError, type Clock, type SpeechEvent } from '../index.ts'
import type { Guard } from '../web/guard.ts'
import { fullCode, muteCode, type Peer, type PeerHandlers } from '../web/peer.ts'
import type { Channel } from './channel.ts'
import type { Hub } from './hub.ts'
import { clientMessages, protocolVersion, type Answering, type ClientMessage, type ServerMessage } from './protocol.ts'

export interface WireLimits {
  utteranceChars: number
  messageBytes: number
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
export const closeCodes = { unauthorized: 4401, noHello: muteCode, version: 4426 } as const

/** One client, from hello to close: what it says is checked and passed on, what it watches is told. */
export function serveClient(peer: Peer, isTrusted: boolean, context: WireContext): PeerHandlers {
  const { hub, clock, guard, limits } = context
  const messages = clientMessages(limits.utteranceChars)
  const watched = new Map<string, { channel: Channel; watching: Subscription }>()
  const voices = new Map<string, Subscription>()
  const speaking = new Set<string>()
  let isGreeted = false
  let stopList = () => {}

  const send = (message: ServerMessage) => peer.send(JSON.stringify(message))

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

  /** After all that was said before. Ears that leave while somebody speaks have ended their speech. */
  function leave(conversationId: string): void {
    const left = watched.get(conversationId)
    watched.delete(conversationId)
    left?.channel.whenReady(
      peer.later(() => {
        if (speaking.delete(conversationId)) left.channel.hear({ type: 'SPEECH_ENDED', conversationId })
        dropVoice(conversationId)
        left.watching.unsubscribe()
      }),
    )
  }

  function greet(message: Extract<ClientMessage, { type: 'hello' }>): void {
    if (message.v !== protocolVersion) {
      const reason = `this server speaks version ${protocolVersion} of the protocol`
      refuse(reason)
      return peer.dismiss(closeCodes.version, reason)
    }
    const refusal = isTrusted ? undefined : guard.token(message.token)
    if (refusal !== undefined) {
      refuse(refusal.message)
      return peer.dismiss(closeCodes.unauthorized, refusal.message.slice(0, 120))
    }
    if (isGreeted) return
    if (!peer.settle()) return peer.dismiss(fullCode, 'every place is taken; try again later')
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

  async function ask(
    { conversation }: Channel,
    { conversationId, text, id }: Extract<ClientMessage, { type: 'ask' }>,
  ): Promise<void> {
    const outcome = await conversation.ask(text)
    send({ type: 'outcome', conversationId, ...(id === undefined ? {} : { id }), outcome })
  }

  function hear(channel: Channel, event: SpeechEvent & { conversationId: string }): void {
    if (event.type === 'SPEECH_STARTED') speaking.add(event.conversationId)
    if (event.type === 'SPEECH_ENDED') speaking.delete(event.conversationId)
    channel.hear(event)
  }

  function dropVoice(conversationId: string): void {
    voices.get(conversationId)?.unsubscribe()
    voices.delete(conversationId)
  }

  function serve(message: ClientMessage): void {
    if (message.type === 'hello') return greet(message)
    if (message.type === 'leave') return leave(message.conversationId)
    // Whoever speaks in a conversation hears it as well.
    const channel = watch(message.conversationId)
    channel?.whenReady(peer.later(() => toldOf(message.conversationId, () => act(channel, message))))
  }

  function act(channel: Channel, message: Exclude<ClientMessage, { type: 'hello' | 'leave' }>): void | Promise<void> {
    const { conversationId } = message
    switch (message.type) {
      case 'open':
        return
      case 'ask':
        return ask(channel, message)
      case 'interrupt':
        return channel.conversation.interrupt()
      case 'take-voice':
        if (voices.has(conversationId)) return
        voices.set(conversationId, channel.takeVoice(send, message.canPause))
        return
      case 'drop-voice':
        return dropVoice(conversationId)
      case 'started':
      case 'progressed':
      case 'finished':
      case 'failed':
        return channel.acknowledge(message, send)
      default:
        return hear(channel, withoutUndefined(message))
    }
  }

  /** What a conversation refuses is told; a mistake of ours is for the edge. */
  async function toldOf(conversationId: string, run: () => void | Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      if (!(error instanceof LlmError)) throw error
      refuse(error.message, conversationId)
    }
  }

  return {
    heard(text) {
      const parsed = messages.safeParse(text === undefined ? undefined : readJson(text))
      if (!parsed.success) return refuse(whatIsWrong(parsed.error.issues))
      const { data } = parsed
      if (!isGreeted && data.type !== 'hello') return peer.dismiss(closeCodes.noHello, 'say hello first')
      return toldOf('conversationId' in data ? data.conversationId : 'wire', () => serve(data))
    },
    left() {
      stopList()
      for (const conversationId of watched.keys()) leave(conversationId)
    },
  }
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
