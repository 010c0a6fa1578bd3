import type { AttemptInput, ReplyEvent } from '../../machines/reply/context.ts'
import type { Clock, ReplyEnd } from '../../machines/vocabulary.ts'
import { LlmError, type BackendEnd, type BackendRecord, type ToolCall } from '../backends/contract.ts'
import type { Settings } from '../config/config.ts'
import { createReplyText } from './reply-text.ts'
import { createTextFilter, type Filtered } from './text-filter.ts'
import type { CutSegment, ReplyConversation, Segmenter } from './types.ts'

/** The records of one attempt on their way to deltas, segments and boundaries. */
export interface AttemptStream {
  on(record: BackendRecord): void
  /** The text that came, or the error that the end is. */
  end(end: BackendEnd): { text: string; finishReason: ReplyEnd['finishReason'] } | LlmError
  /** Functions that the model wants called. */
  readonly calls: readonly ToolCall[]
  /** Not a word to speak so far. */
  readonly isSilent: boolean
  /** What was said before the calls: all of it becomes segments. */
  endRound(): string
  close(): void
}

/**
 * Deltas go to the conversation directly, never through an actor; the chart learns of boundaries only. The idle time
 * begins anew with each record.
 */
export function createAttemptStream(options: {
  input: AttemptInput
  clock: Clock
  settings: Settings
  segmenter: Segmenter
  conversation: ReplyConversation
  sendBack(event: ReplyEvent): void
  fail(error: LlmError): void
  full(): void
}): AttemptStream {
  const { input, clock, settings, conversation, sendBack } = options
  const { attempt } = input
  const { conversationId, replyId } = input.reply
  const { language } = settings
  const { idleMs } = settings.timeouts
  const filter = createTextFilter()
  const reply = createReplyText({
    segmenter: options.segmenter,
    limitChars: settings.limits.replyChars,
    after: input.after,
    goesOn: input.rounds.length === 0,
  })
  let connected = false
  let begun = false
  let segmented = false
  let closed = false
  let calls: ToolCall[] = []
  let isGap = input.after.text !== ''
  let cancelIdle: (() => void) | undefined

  function mark(type: 'connected' | 'first-token' | 'first-segment'): void {
    conversation.onMark({ type, replyId, attempt, atMs: clock.now() })
  }

  function watchIdle(): void {
    cancelIdle?.()
    cancelIdle = clock.schedule(() => {
      const message = `${input.candidate.model} went silent in mid-reply; see the server's log or raise timeouts.idleMs`
      options.fail(new LlmError('timeout', { fault: 'idle-timeout', message }))
    }, idleMs)
  }

  function send(segments: CutSegment[]): void {
    for (const { index, text, source, gap } of segments) {
      if (closed) return
      if (!segmented) mark('first-segment')
      segmented = true
      sendBack({ type: 'SEGMENT_CUT', segment: { conversationId, replyId, index, text, source, gap, language } })
    }
  }

  function take(pieces: Filtered[]): void {
    for (const { kind, text } of pieces) {
      if (closed || reply.full) return
      if (kind === 'thinking') conversation.onDelta({ replyId, attempt, kind, text })
      else say(reply.accept(text))
    }
  }

  function say(accepted: string): void {
    if (accepted === '') return
    // What comes after words that were said already stands apart from them.
    const text = isGap && !/^\s/u.test(accepted) ? ` ${accepted}` : accepted
    isGap = false
    conversation.onDelta({ replyId, attempt, kind: 'text', text })
    send(reply.push(accepted))
  }

  function begin(): void {
    begun = true
    // The first word that the caller gets decides, not the first after a function or of another model.
    if (input.after.text === '') mark('first-token')
    sendBack({ type: 'FIRST_TOKEN_RECEIVED' })
    // A higher attempt replaces what lower ones said: what stays of them is said again, to readers only.
    if (input.after.text === '') return
    conversation.onDelta({ replyId, attempt, kind: 'text', text: input.after.text, repeated: true })
  }

  /** Takes what was held back; counts what was left out. */
  function flush(): void {
    take(filter.end())
    say(reply.acceptRest())
    if (filter.stripped === 0) return
    conversation.onMark({ type: 'template-tokens', replyId, attempt, atMs: clock.now(), count: filter.stripped })
  }

  return {
    on(record) {
      if (closed) return
      if (!connected) {
        connected = true
        mark('connected')
        sendBack({ type: 'BACKEND_CONNECTED' })
      }
      // An empty delta keeps a connection alive and is no word.
      if (closed || record.type === 'connected' || record.type === 'headers') return
      if (record.type === 'delta' && record.text === '') return
      if (!begun) begin()
      if (closed) return
      watchIdle()
      if (record.type === 'tool-calls') calls = [...calls, ...record.calls]
      if (record.type !== 'delta') return
      if (record.kind === 'thinking') conversation.onDelta({ replyId, attempt, kind: 'thinking', text: record.text })
      else take(filter.push(record.text))
      if (reply.full && !closed) options.full()
    },
    end({ finishReason }) {
      const limited = reply.full
      flush()
      if (finishReason === 'content-filter') return contentFiltered()
      if (reply.empty && !(limited && input.after.text !== '')) return emptyReply(input.candidate.model)
      const reason = limited ? 'limit' : finishReason === 'length' ? 'length' : 'stop'
      send(reply.end({ cut: reason !== 'stop' }))
      return { text: reply.text, finishReason: reason }
    },
    get calls() {
      return calls
    },
    get isSilent() {
      return reply.own === ''
    },
    endRound() {
      flush()
      send(reply.end({ cut: false }))
      return reply.spoken
    },
    close() {
      closed = true
      cancelIdle?.()
    },
  }
}

function contentFiltered(): LlmError {
  const message = 'the server withheld the reply by its content filter; another wording or another model may pass'
  return new LlmError('content-filter', { message })
}

function emptyReply(model: string): LlmError {
  const message = `${model} ended without a word to speak; try another model or check its chat template`
  return new LlmError('empty-reply', { message })
}
