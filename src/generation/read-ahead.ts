import { LlmError, type Backend, type ChatRequest } from '../backends/contract.ts'
import type { Slots } from './slots.ts'
import type { GenerationNote, ReplyConversation } from './types.ts'

/** Prompts read by servers while nobody waits, so that their prefix is cached when the next turn comes. */
export interface ReadAhead {
  /** Does nothing where the backend cannot or no slot is spare; any reply takes the slot back. */
  read(conversation: ReplyConversation, backend: Backend, request: ChatRequest): void
  close(): void
}

export function readAheadWith(slotsOf: (origin: string) => Slots, report: (note: GenerationNote) => void): ReadAhead {
  const running = new Set<AbortController>()
  return {
    read(conversation, backend, request) {
      const slots = slotsOf(backend.origin)
      // How many requests a server takes at once it does not tell (Ollama: one, by default); the engine's slots are ours.
      const isSpare = backend.name === 'embedded' ? slots.spare > 0 : slots.isIdle
      if (!backend.prewarm || !isSpare) return
      const controller = new AbortController()
      running.add(controller)
      const ticket = slots.enter({
        owner: conversation.id,
        priority: 'prewarm',
        granted() {},
        revoked: () => controller.abort(),
      })
      const done = () => {
        running.delete(controller)
        ticket.leave()
      }
      if (controller.signal.aborted) return done()
      backend.prewarm(request, controller.signal).then(done, (cause: unknown) => {
        done()
        // A server that cannot read ahead now will say so to the next reply, if it matters.
        if (cause instanceof LlmError || controller.signal.aborted) return
        report({ code: 'internal', message: 'reading a prompt ahead failed; replies are only slower', cause })
      })
    },
    close() {
      for (const controller of running) controller.abort()
      running.clear()
    },
  }
}
