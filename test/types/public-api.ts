/** Checked by tsc alone: what a program may write, and what the types refuse. */
import { createActor, fromCallback } from 'xstate'
import { conversationInput, conversationMachine, replyMachine, type ConversationEmitted } from '../../machines/index.ts'
import { NEVER, of } from 'rxjs'
import { z } from 'zod'
import { createLlmService, defineTool, sinkFrom, type ServiceEvent, type SpeechSink } from '../../src/index.ts'
import { scriptedReply } from '../../src/testing/index.ts'

const service = createLlmService({ apiType: 'auto', sink: sinkFrom(async () => {}), endpointing: { minDelayMs: 300 } })

// @ts-expect-error a typing slip in a setting
createLlmService({ endpointing: { minDelay: 300 } })
// @ts-expect-error there is no such API
createLlmService({ apiType: 'anthropic' })
// @ts-expect-error a sink must play
const silent: SpeechSink = {}
// @ts-expect-error history is read and never written
service.conversation().history.push({ role: 'user', text: 'x' })

// What has nothing to return may return a promise.
createLlmService({
  sink: { ...sinkFrom(async () => {}), prepare: async () => {}, pause: async () => {}, resume: async () => {} },
  bus: { publish: async () => {}, on: () => NEVER },
  logger: { debug: async () => {}, info: async () => {}, warn: async () => {}, error: async () => {} },
  inspect: async () => {},
  context: { facts: async () => 'It is noon.' },
  countTokens: async (model, text) => model.length + text.length,
  endpointing: { detector: () => ({ endOfTurn: 1 }) },
  ambient: {
    policy: async (_utterance, { conversationId }, signal) =>
      (signal.aborted ? 'ignore' : conversationId && 'answer') || 'ignore',
  },
})
// @ts-expect-error a sink says Playbacks
createLlmService({ sink: { play: () => of('started') } })

// A function knows its parameters.
const clock = defineTool({
  description: 'The time.',
  parameters: z.object({ city: z.string(), days: z.number().default(1) }),
  run: ({ city, days }, { signal }) => (signal.aborted ? '' : `${city.trim()} ${days.toFixed()}`),
})
const lamp = defineTool({ description: 'The lamp.', parameters: z.object({}), run: async () => ({ on: true }) })
createLlmService({ tools: { clock, lamp } })
// @ts-expect-error there is no such parameter
defineTool({ description: 'The time.', parameters: z.object({ city: z.string() }), run: ({ town }) => town })
// @ts-expect-error parameters have names
defineTool({ description: 'The time.', parameters: z.string(), run: () => '' })

export function heardOf(event: ServiceEvent): string {
  // @ts-expect-error not every event has it
  if (event.heard) return ''
  return event.type === 'RESPONSE_FINISHED' ? event.heard : ''
}

// A reply may be a chart or a callback; both fit without a cast.
const provided = conversationMachine.provide({ actors: { reply: scriptedReply('Hi.') } })
conversationMachine.provide({ actors: { reply: replyMachine } })
conversationMachine.provide({ actors: { reply: fromCallback(() => {}) } })
const actor = createActor(provided, { input: conversationInput() })
actor.on('RESPONSE_INTERRUPTED', ({ reason }) => reason.length)
// @ts-expect-error not an event of a conversation
actor.send({ type: 'SPEECH_SUNG' })
// @ts-expect-error a transcript has words
actor.send({ type: 'SPEECH_DETECTED' })
// @ts-expect-error no such state
actor.getSnapshot().matches('singing')

export const told: ConversationEmitted['type'] = 'RESPONSE_FINISHED'
export { silent }
