import { LRUCache } from 'lru-cache'
import type { AttemptInput } from '../../machines/reply/context.ts'
import { mostRounds } from '../../machines/tool-calls.ts'
import type { Milliseconds } from '../../machines/vocabulary.ts'
import type { Backend, BackendEnd, ChatMessage, ChatRequest, ToolDefinition } from '../backends/contract.ts'
import { boundResults } from './bound-results.ts'
import {
  evict,
  fitHistory,
  makeRoom,
  overflow,
  resultOverflow,
  type Kept,
  type WindowLimits,
} from './context-window.ts'
import { sameModel, type ModelDirectory } from './models.ts'
import { createPromptSpeed } from './prompt-speed.ts'
import { rememberedMessages, roundMessages } from './round-messages.ts'
import type { FactsOf } from './reply-facts.ts'
import { createCalibration, estimateMessage, estimateTokens, type Calibration } from './token-estimate.ts'
import type { ReplyConversation } from './types.ts'

/** A request that fits its model's window. */
export interface Prompt {
  request: ChatRequest
  /** The model may call functions. One that may not can know of them all the same. */
  offersTools: boolean
  info: { estimatedTokens: number; contextTokens: number; evictedMessages: number }
  /** How long its first token may take. */
  firstTokenMs: Milliseconds
  /** Takes what the end record tells of tokens and speed. */
  learn(end: BackendEnd): void
  /**
   * The same, and makes room for the next turn: the reply is over. Returns the prompt to read
   * ahead when turns were evicted: the server's cache does not hold its beginning.
   */
  complete(end: BackendEnd, text: string): ChatRequest | undefined
}

/** Counts exactly, where the user knows how. One that fails or takes longer than 500 ms is replaced by the estimate. */
export type CountTokens = (model: string, text: string, signal: AbortSignal) => number | Promise<number>

/** Makes the requests of conversations and keeps them within the window. */
export interface Prompts {
  build(asked: {
    conversation: ReplyConversation
    input: AttemptInput
    backend: Backend
    signal: AbortSignal
  }): Promise<Prompt>
}

/** In tokens: what the server allocates for a model, and what the model was trained for. */
interface Window {
  contextTokens: number
  most: number
}

/** Where nothing is known: what Ollama allocates on most machines. */
const unknownWindow = 4_096

const goOn: ChatMessage = {
  role: 'user',
  content: '(Your last reply was cut off. Go on exactly where it stopped. Repeat nothing and do not comment on this.)',
}

export function createPrompts(options: {
  models: ModelDirectory
  countTokens?: CountTokens
  factsOf: FactsOf
}): Prompts {
  const { models, factsOf } = options
  const toolTokens = new WeakMap<readonly ToolDefinition[], number>()
  const windows = new Map<string, Window>()
  const calibrations = new Map<string, Calibration>()
  const speed = createPromptSpeed()
  const starts = new WeakMap<ReplyConversation, Map<string, number>>()
  const counts = new LRUCache<string, number>({ max: 4_096 })

  /** What the server says of the model's window. Remembered once known; a guess is good for one prompt alone. */
  async function windowOf(key: string, backend: Backend, name: string, signal: AbortSignal): Promise<Window> {
    const known = windows.get(key)
    if (known !== undefined) return known
    const listed = (await models.list(backend, signal).catch(() => [])).find((info) => sameModel(info.name, name))
    const info = listed?.contextTokens === undefined ? await backend.describe(name, signal).catch(() => listed) : listed
    const window = { contextTokens: info?.contextTokens ?? unknownWindow, most: info?.trainedContextTokens ?? Infinity }
    if (info?.contextTokens !== undefined) windows.set(key, window)
    return window
  }

  function calibrationOf(key: string): Calibration {
    const calibration = calibrations.get(key) ?? createCalibration()
    calibrations.set(key, calibration)
    return calibration
  }

  function tokensOf(tools: readonly ToolDefinition[]): number {
    if (tools.length === 0) return 0
    const tokens = toolTokens.get(tools) ?? estimateTokens(JSON.stringify(tools))
    toolTokens.set(tools, tokens)
    return tokens
  }

  /** Exact counts of all messages, where somebody can tell them. */
  async function countExactly(
    key: string,
    backend: Backend,
    name: string,
    messages: ChatMessage[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const count = options.countTokens ?? backend.countTokens?.bind(backend)
    if (!count) return false
    for (const message of messages) {
      const text = written(message)
      if (!counts.has(key + text)) counts.set(key + text, (await count(name, text, signal)) + 4)
    }
    return true
  }

  /** With what is true now, after the words, so that the prefix the server has cached reaches as far as it can. */
  function withFacts(history: readonly ChatMessage[], volatile: string): ChatMessage[] {
    const newest = history.findLastIndex(({ role }) => role === 'user')
    if (volatile === '') return [...history]
    return history.map((message, at) =>
      at === newest ? { ...message, content: `${message.content}\n\n[${volatile}]` } : message,
    )
  }

  return {
    async build({ conversation, input, backend, signal }) {
      const name = input.candidate.model
      const key = `${backend.origin} ${name}`
      const { settings, toolbox } = conversation.characterOf(input.reply.replyId)
      const { context, generation } = settings
      const { definitions: tools } = toolbox
      const window = await windowOf(key, backend, name, signal)
      const contextTokens = Math.min(context.contextTokens ?? window.contextTokens, window.most)
      const calibration = calibrationOf(key)
      const system: ChatMessage = { role: 'system', content: settings.systemPrompt }
      const maxTokens = Math.min(context.replyTokens, Math.floor(contextTokens / 2))
      const bound = (messages: ChatMessage[]) => boundResults(messages, contextTokens - maxTokens)
      const remembered = bound(conversation.messages(input.reply))
      const history = withFacts(remembered, await factsOf(conversation, input.reply.replyId, signal))
      // What follows the caller's words belongs to the newest turn: neither is ever evicted.
      const tail = bound(tailOf(input))
      const exact = await countExactly(key, backend, name, [system, ...history, ...tail], signal).catch(() => false)
      const count = (message: ChatMessage) =>
        (exact ? counts.get(key + written(message)) : undefined) ?? calibration.tokens(estimateMessage(message))
      const limits: WindowLimits = {
        budget: Math.floor((contextTokens - maxTokens) * (1 - (exact ? 0.03 : calibration.margin))),
        highWater: context.highWater,
        lowWater: Math.min(context.lowWater, context.highWater),
      }
      const ofModel = starts.get(conversation) ?? new Map<string, number>()
      starts.set(conversation, ofModel)
      const before = ofModel.get(key) ?? 0
      const hasTools = tools.length > 0 && knowsTools(backend)
      const offeredTokens = hasTools ? tokensOf(tools) : 0
      const offersTools = hasTools && mayCall(input)
      // Functions stand in front of everything: where the model can be told not to call, they stay there.
      const shown = offersTools || (hasTools && input.rounds.length > 0 && knowsToolChoice(backend))
      const offer = shown ? offeredTokens : 0
      const fixed = [system, ...tail].reduce((tokens, message) => tokens + count(message), calibration.tokens(offer))
      const resultTokens = input.rounds.length === 0 ? 0 : tail.reduce((tokens, message) => tokens + count(message), 0)
      let kept = fitHistory(history, fixed, before, count, limits, resultTokens)
      if (input.shorter) kept = halve(history, kept, count, resultTokens)
      ofModel.set(key, kept.from)
      const messages = [system, ...history.slice(kept.from), ...tail]
      const estimate = messages.reduce((tokens, message) => tokens + estimateMessage(message), offer)
      const { temperature, topP, seed, think, keepAlive } = generation
      const request: ChatRequest = {
        model: name,
        messages,
        maxTokens,
        contextTokens,
        think,
        ...(temperature === undefined ? {} : { temperature }),
        ...(topP === undefined ? {} : { topP }),
        ...(seed === undefined ? {} : { seed }),
        ...(keepAlive === undefined ? {} : { keepAlive }),
        ...(shown ? { tools: [...tools] } : {}),
        ...(shown && !offersTools ? { toolChoice: 'none' as const } : {}),
      }
      function learn(end: BackendEnd): void {
        calibration.learn(estimate, end.usage.promptTokens)
        speed.learn(key, end.promptMs, end.usage)
      }
      return {
        request,
        offersTools,
        info: { estimatedTokens: kept.tokens, contextTokens, evictedMessages: kept.from - Math.min(before, kept.from) },
        firstTokenMs: Math.max(settings.timeouts.firstTokenMs, 3 * speed.expectMs(key, kept.tokens)),
        learn,
        complete(end, text) {
          learn(end)
          // As the next prompt begins: with the functions, without what was true now or could not be called.
          const replied = bound(rememberedMessages(input.rounds, text))
          const { toolChoice: _, ...same } = { ...request, ...(hasTools ? { tools: [...tools] } : {}) }
          const rest = [system, ...remembered.slice(kept.from), ...replied]
          const tokens = rest.reduce((sum, message) => sum + count(message), calibration.tokens(offeredTokens))
          const next = makeRoom(remembered, { from: kept.from, tokens }, count, limits)
          if (next.from === kept.from) return undefined
          ofModel.set(key, next.from)
          return { ...same, messages: [system, ...remembered.slice(next.from), ...replied] }
        },
      }
    },
  }
}

/** One that has had its results has to answer in words, and so has one that goes on with what was heard. */
function mayCall({ rounds, after }: AttemptInput): boolean {
  return rounds.length < mostRounds && (rounds.length > 0 || after.text === '')
}

/** Where they are no part of what is sent they take no room either. */
const knowsTools = ({ name }: Backend) => name !== 'ollama-generate'
const knowsToolChoice = ({ name }: Backend) => name === 'openai' || name === 'scripted'

/** What follows the history: what was called for this reply, or what it had said when it was cut. */
function tailOf({ rounds, after }: AttemptInput): ChatMessage[] {
  if (rounds.length > 0) return roundMessages(rounds)
  return after.text === '' ? [] : [{ role: 'assistant', content: after.text }, goOn]
}

const written = ({ content, toolCalls }: ChatMessage) =>
  toolCalls === undefined ? content : content + JSON.stringify(toolCalls)

/** The server found the prompt too long, whatever we counted: half of it goes. */
function halve(
  history: ChatMessage[],
  kept: Kept,
  count: (message: ChatMessage) => number,
  resultTokens: number,
): Kept {
  const shorter = evict(history, kept, count, kept.tokens / 2)
  if (shorter.from === kept.from) throw resultTokens > 0 ? resultOverflow() : overflow()
  return shorter
}
