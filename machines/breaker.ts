import { assign, setup } from 'xstate'
import type { Milliseconds } from './vocabulary.ts'

/*
 * When one model on one origin is left alone. Every event brings its moment, so an open breaker needs no timer: it is
 * asked, and then it is time for a probe or it is not.
 */

export type BreakerEvent =
  | { type: 'PERMISSION_ASKED'; atMs: Milliseconds }
  | { type: 'REQUEST_SUCCEEDED' }
  | { type: 'REQUEST_FAILED'; atMs: Milliseconds }
  /** Given up by ourselves: says nothing about the model. */
  | { type: 'REQUEST_ABANDONED' }

export interface BreakerInput {
  /** Failures in a row that open it. */
  failures: number
  /** How long it stays open the first time; doubles each time up to `maxOpenMs`. */
  openMs: Milliseconds
  maxOpenMs: Milliseconds
}

export interface BreakerContext {
  limits: BreakerInput
  failuresInRow: number
  /** Times it has opened since it was last closed. */
  openings: number
  openUntilMs: Milliseconds
}

export const breakerMachine = setup({
  types: { input: {} as BreakerInput, context: {} as BreakerContext, events: {} as BreakerEvent },
  guards: {
    isLastStraw: ({ context }) => context.failuresInRow + 1 >= context.limits.failures,
    isTimeForProbe: ({ context, event }) => event.type === 'PERMISSION_ASKED' && event.atMs >= context.openUntilMs,
  },
  actions: {
    countFailure: assign({ failuresInRow: ({ context }) => context.failuresInRow + 1 }),
    forgetFailures: assign({ failuresInRow: 0, openings: 0 }),
    stayOpenLonger: assign(({ context: { limits, openings } }, { atMs }: { atMs: Milliseconds }) => ({
      openings: openings + 1,
      openUntilMs: atMs + Math.min(limits.maxOpenMs, limits.openMs * 2 ** openings),
    })),
  },
}).createMachine({
  id: 'breaker',
  context: ({ input }) => ({ limits: input, failuresInRow: 0, openings: 0, openUntilMs: 0 }),
  initial: 'closed',
  states: {
    closed: {
      description: 'Requests go through.',
      tags: 'permits',
      on: {
        REQUEST_SUCCEEDED: { actions: 'forgetFailures' },
        REQUEST_FAILED: [
          {
            guard: 'isLastStraw',
            target: 'open',
            actions: { type: 'stayOpenLonger', params: ({ event }) => event },
          },
          { actions: 'countFailure' },
        ],
      },
    },
    open: {
      description: 'The model is left alone for a while. Answers to requests from before change nothing.',
      on: { PERMISSION_ASKED: { guard: 'isTimeForProbe', target: 'probing' } },
    },
    probing: {
      description: 'One request is let through; what becomes of it decides.',
      on: {
        REQUEST_SUCCEEDED: { target: 'closed', actions: 'forgetFailures' },
        REQUEST_FAILED: { target: 'open', actions: { type: 'stayOpenLonger', params: ({ event }) => event } },
        // The moment has passed already, so the next to ask is the next probe.
        REQUEST_ABANDONED: 'open',
      },
    },
  },
})
