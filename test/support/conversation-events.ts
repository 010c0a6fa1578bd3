import { initialTransition, transition, type SnapshotFrom } from 'xstate'
import {
  conversationInput,
  conversationMachine,
  type ConversationEvent,
  type PolicyChanges,
  type ToolCall,
} from '../../machines/index.ts'
import { aSegment } from './a-segment.ts'

/* The words of the conversation chart's tests. */

type Situation = SnapshotFrom<typeof conversationMachine>

/** Sends events one after the other, as a pure function; answers where that leads, what was told and sent on the way. */
export function after(events: readonly ConversationEvent[], policy: PolicyChanges = {}) {
  let [situation] = initialTransition(conversationMachine, conversationInput({ policy }))
  const facts: object[] = []
  const sent: string[] = []
  for (const event of events) {
    const [next, actions] = transition(conversationMachine, situation, event)
    situation = next
    for (const action of actions) {
      facts.push(...eventsOf('xstate.emit', action).filter((fact) => typeOf(fact) !== 'STATE_CHANGED'))
      sent.push(...eventsOf('xstate.sendTo', action).map(typeOf))
    }
  }
  return { situation, facts, told: facts.map(typeOf), sent, replies: repliesOf(situation) }
}

function eventsOf(wanted: string, { type, params }: { type: string; params?: unknown }): object[] {
  if (type !== wanted || typeof params !== 'object' || params === null || !('event' in params)) return []
  return typeof params.event === 'object' && params.event !== null ? [params.event] : []
}

export const typeOf = (event: object): string => ('type' in event ? String(event.type) : '')

export const repliesOf = ({ children }: Situation) => Object.keys(children).filter((id) => id.startsWith('reply-'))

/** A timer of a state fires. XState's own events have no type to be named by; JSON has no types at all. */
export const timer = (delay: string, state: string): ConversationEvent =>
  JSON.parse(JSON.stringify({ type: `xstate.after.${delay}.conversation.${state}` }))

export const started = (atMs: number): ConversationEvent => ({ type: 'SPEECH_STARTED', atMs })
export const partial = (atMs: number, text: string): ConversationEvent => ({ type: 'SPEECH_PARTIAL', text, atMs })
export const final = (atMs: number, text: string): ConversationEvent => ({ type: 'SPEECH_DETECTED', text, atMs })
export const ended = (atMs: number): ConversationEvent => ({ type: 'SPEECH_ENDED', atMs })
export const segment = (replyId: string, index = 0): ConversationEvent => ({
  type: 'REPLY_SEGMENT',
  replyId,
  attempt: 1,
  segment: { ...aSegment, replyId, index },
})
export const textOver = (replyId: string): ConversationEvent => ({
  type: 'REPLY_ENDED',
  replyId,
  text: 'Hi.',
  model: 'm',
  backend: 'scripted',
  cached: false,
  fallback: false,
  usage: {},
  finishReason: 'stop',
})
export const failed = (replyId: string): ConversationEvent => ({
  type: 'REPLY_FAILED',
  replyId,
  error: { code: 'timeout', message: 'too late', retryable: true },
})
export const clock: ToolCall = { id: 'c1', name: 'clock', arguments: { zone: 'utc' } }
export const lamp: ToolCall = { id: 'c2', name: 'lamp', arguments: {} }
export const calling = (replyId: string, ...calls: ToolCall[]): ConversationEvent => ({
  type: 'REPLY_CALLING',
  replyId,
  calls,
})
export const called = (replyId: string, call: ToolCall): ConversationEvent => ({
  type: 'REPLY_CALLED',
  replyId,
  call,
  result: 'noon',
  outcome: 'done',
})
export const played: ConversationEvent = { type: 'PLAYBACK_FINISHED', index: 0 }
export const paused: ConversationEvent = { type: 'PLAYBACK_PAUSED' }

export const typed: ConversationEvent = { type: 'CALLER_TYPED', text: 'hello', asker: 'asker-1', atMs: 100 }
export const unwanted: ConversationEvent = { type: 'REPLY_UNWANTED', atMs: 900 }

export const asked = [final(0, 'hello')]
export const speaking = [...asked, segment('reply-1')]
