import type { InspectionEvent } from 'xstate'
import type { ReplyLogic } from '../../machines/reply/logic.ts'
import { askedPatienceMs, mayRetry } from '../../machines/reply/policy.ts'
import { replyMachine } from '../../machines/reply/machine.ts'
import type { Clock } from '../../machines/vocabulary.ts'
import type { Settings } from '../config/config.ts'
import { attemptLogic, type AttemptWorld } from './attempt.ts'
import { createBreakers } from './breakers.ts'
import { callLogic } from './call.ts'
import { planOf } from './candidates.ts'
import { holdDeltas } from './hold-deltas.ts'
import { locateLogic } from './locate.ts'
import { createModelDirectory } from './models.ts'
import { createPrompts, type CountTokens } from './prompts.ts'
import { readAheadWith } from './read-ahead.ts'
import { recallLogic } from './recall.ts'
import { factsByReply, type Facts } from './reply-facts.ts'
import { createReplyCache, type CacheStore } from './reply-cache.ts'
import { createSlots, type Slots } from './slots.ts'
import { createToolbox, type Toolbox } from './tools.ts'
import type { Connect, GenerationNote, ReplyConversation, Segmenter, Target } from './types.ts'

export type { CountTokens } from './prompts.ts'
export type { Remembered } from './recall.ts'
export type { CacheStore } from './reply-cache.ts'
export { repliedMessages, toldRound } from './round-messages.ts'
export { createToolbox, defineTool, type Tool, type Toolbox, type ToolContext } from './tools.ts'
export type { Connect, CutSegment, GenerationNote, ReplyConversation, ReplyMark, Segmenter, Target } from './types.ts'

export interface GenerationOptions {
  settings: Settings
  clock: Clock
  random: () => number
  connect: Connect
  /** Called when a server lost the path it had: the next `connect` should probe again. */
  forget?: (target: Target) => void
  createSegmenter(unspokenMs: () => number): Segmenter
  /** Counts tokens exactly; default: the engine's tokenizer where it has one, else an estimate that learns. */
  countTokens?: CountTokens
  /** What is true now (time, presence): written into the newest user message of a prompt, and nowhere else. */
  facts?: Facts
  /** Functions that the model may call. */
  toolbox?: Toolbox
  cacheStore?: CacheStore
  /** Watches the breakers, which belong to no conversation. */
  inspect?: (event: InspectionEvent) => void
  /** Hears of what went wrong beside a reply. */
  report?: (note: GenerationNote) => void
}

/** Everything that the replies of a service share: queue, breakers, model lists, cache. */
export interface Generation {
  /** The reply chart with its actors, time-outs and policy, for one conversation. */
  replyLogic(conversation: ReplyConversation): ReplyLogic
  close(): void
}

export function createGeneration(options: GenerationOptions): Generation {
  const { settings, clock, random, toolbox = createToolbox() } = options
  const { timeouts, retry, concurrency, fallback } = settings
  const slots = new Map<string, Slots>()
  const plan = planOf(settings)
  const models = createModelDirectory(clock)
  const breakers = createBreakers({
    settings,
    clock,
    ...(options.inspect === undefined ? {} : { inspect: options.inspect }),
  })
  const report = options.report ?? (() => {})
  const factsOf = factsByReply(options.facts)
  const cache = createReplyCache({
    settings,
    clock,
    report,
    factsOf,
    tools: toolbox.definitions,
    ...(options.cacheStore === undefined ? {} : { store: options.cacheStore }),
  })
  function slotsOf(origin: string): Slots {
    const known = slots.get(origin) ?? createSlots(concurrency)
    slots.set(origin, known)
    return known
  }
  const ahead = readAheadWith(slotsOf, report)
  const world: AttemptWorld = {
    settings,
    plan,
    clock,
    connect: options.connect,
    forget: options.forget ?? (() => {}),
    models,
    breakers,
    prompts: createPrompts({
      settings,
      models,
      factsOf,
      tools: toolbox.definitions,
      ...(options.countTokens === undefined ? {} : { countTokens: options.countTokens }),
    }),
    toolbox,
    slotsOf,
    createSegmenter: options.createSegmenter,
    keep: cache.set,
    readAhead: ahead.read,
  }

  return {
    replyLogic(owner) {
      const conversation = holdDeltas(owner)
      return replyMachine.provide({
        actors: {
          recall: recallLogic(world, conversation, (input, left) => cache.get(conversation, input, left)),
          locate: locateLogic(world),
          attempt: attemptLogic(world, conversation),
          call: callLogic(toolbox, conversation),
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
          showDeltas: ({ context }) => conversation.show(context.replyId),
          blameModel({ context }) {
            if (context.current) breakers.blame(context.current.origin, context.current.model)
          },
        },
        guards: {
          canRetry: ({ context }) =>
            mayRetry(context, { attempts: retry.attempts, longestWaitMs: timeouts.firstTokenMs }),
          mayContinue: () => fallback.afterCommit === 'continue',
        },
      })
    },
    close() {
      ahead.close()
      models.close()
      breakers.close()
    },
  }
}
