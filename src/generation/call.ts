import { fromCallback } from 'xstate'
import type { CallInput } from '../../machines/reply/context.ts'
import type { CallAnswer } from '../../machines/tool-calls.ts'
import type { ReplyCommand, ToolCall } from '../../machines/vocabulary.ts'
import type { ToolContext, Toolbox } from './tools.ts'
import type { ReplyConversation } from './types.ts'

/**
 * Runs the functions of one round side by side. Unsubscribing aborts those that still run; what they say then is not
 * heard any more. One that gave its result is left in peace: an abort after it would undo what the model was told of.
 */
export function callLogic(conversationOf: (id: string) => ReplyConversation) {
  // Not at once: the chart that is just being told of its turn tells of it first, and may yet leave.
  async function start(toolbox: Toolbox, call: ToolCall, context: ToolContext): Promise<CallAnswer | undefined> {
    await Promise.resolve()
    return context.signal.aborted ? undefined : toolbox.run(call, context)
  }

  return fromCallback<ReplyCommand, CallInput>(({ input, sendBack }) => {
    const { conversationId, replyId, turnId } = input.reply
    const { toolbox } = conversationOf(conversationId).characterOf(replyId)
    const running = new Set<AbortController>()
    for (const call of input.calls) {
      const controller = new AbortController()
      const { signal } = controller
      running.add(controller)
      const context = { signal, conversationId, turnId }
      void start(toolbox, call, context).then((answer) => {
        running.delete(controller)
        if (!signal.aborted && answer) sendBack({ type: 'CALL_ANSWERED', answer })
      })
    }
    return () => {
      for (const controller of running) controller.abort()
    }
  })
}
