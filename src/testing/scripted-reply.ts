import { fromCallback, type CallbackActorLogic } from 'xstate'
import type { Failure, ReplyCommand, ReplyInput, ReplyReport } from '../../machines/vocabulary.ts'

/** What a scripted reply says. */
export interface ReplyScript {
  /** The pieces it hands over, one after the other. */
  segments?: readonly string[]
  /** It fails after its segments, instead of ending. */
  fail?: Partial<Failure>
  /** false: it neither ends nor fails. Default true. */
  ends?: boolean
}

/**
 * A reply that says what it was told to, at once: it stands in for the reply chart where only the conversation is
 * of interest. A string is one segment.
 *
 *     conversationMachine.provide({ actors: { reply: scriptedReply('Hi.') } })
 */
export function scriptedReply(script: string | ReplyScript): CallbackActorLogic<ReplyCommand, ReplyInput> {
  const { segments = [], fail, ends = true } = typeof script === 'string' ? { segments: [script] } : script
  return fromCallback<ReplyCommand, ReplyInput>(({ input: { conversationId, replyId }, sendBack }) => {
    const report = (what: ReplyReport) => sendBack(what)
    segments.forEach((text, index) => {
      const gap = index === 0 ? '' : ' '
      const segment = { conversationId, replyId, index, text, source: text, gap, language: 'en' }
      report({ type: 'REPLY_SEGMENT', replyId, attempt: 1, segment })
    })
    if (fail !== undefined) {
      const error: Failure = { code: 'internal', message: 'the scripted reply fails', retryable: false, ...fail }
      report({ type: 'REPLY_FAILED', replyId, error })
    } else if (ends) {
      report({
        type: 'REPLY_ENDED',
        replyId,
        text: segments.join(' '),
        model: 'scripted',
        backend: 'scripted',
        cached: false,
        fallback: false,
        usage: {},
        finishReason: 'stop',
      })
    }
  })
}
