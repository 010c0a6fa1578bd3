import { fromCallback } from 'xstate'
import type { ReplyEvent } from '../../machines/reply/context.ts'
import type { Clock, ReplyCommand, ReplyEnd, ReplyInput } from '../../machines/vocabulary.ts'
import type { CreateSegmenter, ReplyConversation } from './types.ts'

/** Words that are known before any model is asked. */
export type Remembered = Omit<ReplyEnd, 'fallback'>

/** Says what is given to be said, or what the cache remembers; else tells that the words are unknown. */
export function recallLogic(
  world: { clock: Clock; createSegmenter: CreateSegmenter; conversationOf(id: string): ReplyConversation },
  remember: (
    conversation: ReplyConversation,
    input: ReplyInput,
    signal: AbortSignal,
  ) => Promise<Remembered | undefined> | undefined,
) {
  return fromCallback<ReplyCommand, ReplyInput>(({ input, sendBack }) => {
    const { conversationId, replyId, purpose, text } = input
    const conversation = world.conversationOf(conversationId)
    const controller = new AbortController()
    const { signal } = controller
    conversation.begin(input)
    const tell = (event: ReplyEvent) => {
      if (!signal.aborted) sendBack(event)
    }

    function recite(words: Remembered): void {
      if (signal.aborted) return
      const { settings } = conversation.characterOf(replyId)
      const segmenter = world.createSegmenter(settings, () => conversation.unspokenMs(replyId))
      conversation.onDelta({ replyId, attempt: 1, kind: 'text', text: words.text })
      for (const { index, text: spoken, source, gap } of [...segmenter.push(words.text), ...segmenter.end()]) {
        if (index === 0) conversation.onMark({ type: 'first-segment', replyId, attempt: 1, atMs: world.clock.now() })
        const segment = { conversationId, replyId, index, text: spoken, source, gap, language: settings.language }
        tell({ type: 'SEGMENT_CUT', segment })
      }
      tell({ type: 'TEXT_COMPLETED', end: words })
    }

    if (purpose === 'say') {
      recite({ text, model: 'none', backend: 'none', cached: false, usage: {}, finishReason: 'stop' })
      return
    }
    const remembered = remember(conversation, input, signal)
    if (!remembered) tell({ type: 'WORDS_UNKNOWN' })
    else {
      // What the cache gives but cannot be said is a miss like any other.
      remembered
        .then((words) => (words ? recite(words) : tell({ type: 'WORDS_UNKNOWN' })))
        .catch(() => tell({ type: 'WORDS_UNKNOWN' }))
    }
    return () => controller.abort()
  })
}
