import { fromCallback } from 'xstate'
import type { CallInput } from '../../machines/reply-context.ts'
import type { ReplyCommand } from '../../machines/vocabulary.ts'
import type { Toolbox } from './tools.ts'

/** Runs the functions of one round side by side. Unsubscribing aborts them; what they say then is not heard any more. */
export function callLogic(toolbox: Toolbox, conversation: { id: string }) {
  return fromCallback<ReplyCommand, CallInput>(({ input, sendBack }) => {
    const controller = new AbortController()
    const { signal } = controller
    const context = { signal, conversationId: conversation.id, turnId: input.reply.turnId }
    for (const call of input.calls) {
      void toolbox.run(call, context).then((answer) => {
        if (!signal.aborted) sendBack({ type: 'CALL_ANSWERED', answer })
      })
    }
    return () => controller.abort()
  })
}
