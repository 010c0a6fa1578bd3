/** What the reply chart may ask. Claims alone: nothing changes here. */
import { stateIn } from 'xstate'
import { rest, route, type ReplyContext, type ReplyEvent, type WantedRound } from './context.ts'
import { mayRetry } from './policy.ts'
import { isRefused, mostRounds, unanswered } from '../tool-calls.ts'

type Situation = { context: ReplyContext; event: ReplyEvent }

export const guards = {
  isHeard: stateIn<ReplyContext, ReplyEvent, unknown>({ standing: 'heard' }),
  isLoading: ({ event }: Situation) => event.type === 'SLOT_GRANTED' && event.loading,
  hasCandidate: ({ event }: Situation) => event.type === 'MODELS_LOCATED' && event.candidates.length > 0,
  isLocated: ({ context }: Situation) => context.current !== null,
  isFinal: ({ context }: Situation) =>
    context.emptyReplies > 1 || (route(context).next === 'nowhere' && !route(context).amend),
  isWorthAmending: ({ context }: Situation) => route(context).amend === true && context.amendments === 0,
  hasNext: ({ context }: Situation) => rest(context).length > 0,
  canLookElsewhere: ({ context }: Situation) =>
    context.current === null && context.failure !== null && !context.leftAlone.includes(context.failure.origin),

  /** A model that calls wrongly although it was told would do so again. */
  mayCall: ({ context }: Situation, wanted: WantedRound) =>
    context.rounds.length < mostRounds && !(isRefused(wanted) && context.refusals > 0),
  hasCalled: ({ context }: Situation) => context.rounds.length > 0,
  isAnswered: ({ context }: Situation) => context.rounds.slice(-1).every((round) => unanswered(round).length === 0),
  isAwaited: ({ context }: Situation) => context.purpose !== 'speculation',

  // These two are policy that a service provides from its settings; here stand the defaults.
  canRetry: ({ context }: Situation) => mayRetry(context, { attempts: 1, longestWaitMs: 4_000 }),
  mayContinue: () => false,
}
