import type { InspectionEvent } from 'xstate'
import type { ReplyLogic } from '../../machines/reply/logic.ts'
import { askedPatienceMs, mayRetry } from '../../machines/reply/policy.ts'
import { replyMachine } from '../../machines/reply/machine.ts'
import type { Clock, ReplyInput } from '../../machines/vocabulary.ts'
import type { Settings } from '../config/config.ts'
import { attemptLogic, type AttemptWorld } from './attempt.ts'
import { createBreakers } from './breakers.ts'
import { callLogic } from './call.ts'
import { locateLogic } from './locate.ts'
import { createModelDirectory } from './models.ts'
import { createPrompts, type CountTokens } from './prompts.ts'
import { readAheadWith } from './read-ahead.ts'
import { recallLogic } from './recall.ts'
import { factsByReply } from './reply-facts.ts'
import { createReplyCache, type CacheStore } from './reply-cache.ts'
import { createSlots, type Slots } from './slots.ts'
import type { Character, Connect, CreateSegmenter, GenerationNote, ReplyConversation, Target } from './types.ts'

export type { CountTokens } from './prompts.ts'
export type { Remembered } from './recall.ts'
export type { CacheStore } from './reply-cache.ts'
export { repliedMessages, toldRound } from './round-messages.ts'
export { createToolbox, defineTool, type Tool, type Toolbox, type ToolContext } from './tools.ts'
export type { Facts } from './reply-facts.ts'
export { holdDeltas, type DeltaHold } from './hold-deltas.ts'
export type {
  Character,
  Connect,
  CutSegment,
  GenerationNote,
  ReplyConversation,
  ReplyMark,
  Segmenter,
  Target,
} from './types.ts'

export interface GenerationOptions {
  /** What all conversations share: slots, breakers, time-outs, the cache's size. */
  settings: Settings
  clock: Clock
  random: () => number
  /** The conversation that a reply belongs to; asked only while the conversation lives. */
  conversationOf(id: string): ReplyConversation
  connect: Connect
  /** Called when a server lost the path it had: the next `connect` should probe again. */
  forget?: (target: Target) => void
  createSegmenter: CreateSegmenter
  /** Counts tokens exactly; default: the engine's tokenizer where it has one, else an estimate that learns. */
  countTokens?: CountTokens
  cacheStore?: CacheStore
  /** Watches the breakers, which belong to no conversation. */
  inspect?: (event: InspectionEvent) => void
  /** Hears of what went wrong beside a reply. */
  report?: (note: GenerationNote) => void
}

/** Everything that the replies of a service share: queue, breakers, model lists, cache. */
export interface Generation {
  /** The reply chart with its actors, time-outs and policy: provided once, for the conversations of the whole service. */
  readonly replyLogic: ReplyLogic
  close(): void
}

export function createGeneration(options: GenerationOptions): Generation {
  const { settings, clock, random, conversationOf } = options
  const { timeouts, retry, concurrency } = settings
  const slots = new Map<string, Slots>()
  const models = createModelDirectory(clock)
  const breakers = createBreakers({
    settings,
    clock,
    ...(options.inspect === undefined ? {} : { inspect: options.inspect }),
  })
  const report = options.report ?? (() => {})
  const factsOf = factsByReply()
  const cache = createReplyCache({
    settings,
    clock,
    report,
    factsOf,
    ...(options.cacheStore === undefined ? {} : { store: options.cacheStore }),
  })
  function slotsOf(origin: string): Slots {
    const known = slots.get(origin) ?? createSlots(concurrency)
    slots.set(origin, known)
    return known
  }
  const ahead = readAheadWith(slotsOf, report)
  const world: AttemptWorld = {
    clock,
    conversationOf,
    connect: options.connect,
    forget: options.forget ?? (() => {}),
    models,
    breakers,
    prompts: createPrompts({
      models,
      factsOf,
      ...(options.countTokens === undefined ? {} : { countTokens: options.countTokens }),
    }),
    slotsOf,
    createSegmenter: options.createSegmenter,
    keep: cache.set,
    readAhead: ahead.read,
  }

  const characterOf = ({ conversationId, replyId }: ReplyInput): Character =>
    conversationOf(conversationId).characterOf(replyId)

  return {
    replyLogic: replyMachine.provide({
      actors: {
        recall: recallLogic(world, cache.get),
        locate: locateLogic(world),
        attempt: attemptLogic(world),
        call: callLogic(conversationOf),
      },
      delays: {
        locateMs: timeouts.connectMs,
        queueMs: timeouts.queueMs,
        connectMs: timeouts.connectMs,
        totalMs: timeouts.totalMs,
        toolMs: timeouts.toolMs,
        retryMs: ({ context }) =>
          askedPatienceMs(context.failure) ??
          retry.minDelayMs + random() * Math.max(0, retry.maxDelayMs - retry.minDelayMs),
      },
      actions: {
        showDeltas: ({ context }) => conversationOf(context.conversationId).show(context.replyId),
        blameModel({ context }) {
          if (context.current) breakers.blame(context.current.origin, context.current.model)
        },
      },
      guards: {
        canRetry: ({ context }) =>
          mayRetry(context, { attempts: retry.attempts, longestWaitMs: timeouts.firstTokenMs }),
        mayContinue: ({ context }) => characterOf(context).settings.fallback.afterCommit === 'continue',
      },
    }),
    close() {
      ahead.close()
      models.close()
      breakers.close()
    },
  }
}
