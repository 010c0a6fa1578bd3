import { fromCallback } from 'xstate'
import type { CallInput } from '../../machines/reply-context.ts'
import type { ReplyCommand } from '../../machines/vocabulary.ts'
import type { Toolbox } from './tools.ts'

/**
 * Runs the functions of one round side by side. Unsubscribing aborts those that still run; what they say then is not
 * heard any more. One that gave its result is left in peace: an abort after it would undo what the model was told of.
 */
export function callLogic(toolbox: Toolbox, conversation: { id: string }) {
  return fromCallback<ReplyCommand, CallInput>(({ input, sendBack }) => {
    const running = new Set<AbortController>()
    for (const call of input.calls) {
      const controller = new AbortController()
      const { signal } = controller
      running.add(controller)
      const context = { signal, conversationId: conversation.id, turnId: input.reply.turnId }
      void toolbox.run(call, context).then((answer) => {
        running.delete(controller)
        if (!signal.aborted) sendBack({ type: 'CALL_ANSWERED', answer })
      })
    }
    return () => {
      for (const controller of running) controller.abort()
    }
  })
}
