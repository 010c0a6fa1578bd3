import type { EngineMessage, EngineRequest, OpenRequest } from './engine-messages.ts'
import type { ChatHistoryItem, ChatWrapper, LlamaModel, LlamaModule, LlamaSequence, Token } from './llama-api.ts'
import { commonPrefix } from './choose-sequence.ts'
import { SequencePool } from './sequence-pool.ts'
import { StopFilter } from './stop-filter.ts'
import { TokenText } from './token-text.ts'

/** Small models fall into loops without it; 1.1 over 64 tokens is llama.cpp's usual. */
const repetition = { penalty: 1.1, tokens: 64 }
/** Where the request says nothing. Small models wander off above it (SmolLM2's card asks for 0.2), and loop at 0. */
const defaultTemperature = 0.3

export interface EngineResult {
  finishReason: 'stop' | 'length'
  promptTokens: number
  cachedPromptTokens: number
  replyTokens: number
  promptMs: number
  replyMs: number
}

const noop = (): void => undefined

/** The prompt and the room for a reply do not fit the window. */
export class TooLong extends Error {}

/** The model in the engine's process: reads prompts in slices, writes replies, shares its sequences. */
export class Engine {
  readonly contextTokens: number
  readonly #model: LlamaModel
  readonly #wrapper: ChatWrapper
  readonly #pool: SequencePool
  readonly #sliceTokens: number
  readonly #now: () => number
  readonly #prewarms = new Set<{ yielding: AbortController; ended: Promise<void> }>()

  private constructor(
    model: LlamaModel,
    wrapper: ChatWrapper,
    sequences: LlamaSequence[],
    contextTokens: number,
    sliceTokens: number,
    now: () => number,
  ) {
    this.#model = model
    this.#wrapper = wrapper
    this.#pool = new SequencePool(sequences)
    this.contextTokens = contextTokens
    this.#sliceTokens = sliceTokens
    this.#now = now
  }

  static async open(module: LlamaModule, options: OpenRequest, now: () => number): Promise<Engine> {
    const { contextTokens, sequences, threads } = options
    const llama = await module.getLlama({
      build: 'never',
      skipDownload: true,
      gpu: process.platform === 'darwin' && process.arch === 'arm64' ? 'metal' : false,
      maxThreads: threads,
      logLevel: 'error',
      progressLogs: false,
    })
    const model = await llama.loadModel({ modelPath: options.modelPath })
    const context = await model.createContext({
      contextSize: contextTokens,
      sequences,
      batchSize: Math.min(512, contextTokens),
      threads: { ideal: threads, min: 1 },
      failedCreationRemedy: false,
    })
    const wrapper = module.resolveChatWrapper(model, { warningLogs: false })
    const all = Array.from({ length: sequences }, () => context.getSequence())
    return new Engine(model, wrapper, all, Math.min(contextTokens, context.contextSize), options.sliceTokens, now)
  }

  countTokens(text: string): number {
    return this.#model.tokenize(text).length
  }

  /** Reads a prompt ahead, where a sequence is free; does nothing where none is. Any reply puts an end to it. */
  async prewarm(request: EngineRequest, signal: AbortSignal): Promise<void> {
    const { prompt } = this.#render(request.messages)
    const lease = prompt.length < this.contextTokens ? this.#pool.tryAcquire(prompt) : undefined
    if (lease === undefined) return
    const yielding = new AbortController()
    const reading = this.#read(lease.sequence, prompt, AbortSignal.any([signal, yielding.signal]), 1)
    const prewarm = { yielding, ended: reading.then(noop, noop).finally(() => lease.release()) }
    this.#prewarms.add(prewarm)
    try {
      await reading
    } catch (error) {
      if (!yielding.signal.aborted) throw error
    } finally {
      this.#prewarms.delete(prewarm)
    }
  }

  /** Writes one reply. Rejects with the signal's reason within a slice of the prompt or a token of the reply. */
  async reply(
    request: EngineRequest,
    granted: () => void,
    emit: (text: string) => void,
    signal: AbortSignal,
  ): Promise<EngineResult> {
    const { prompt, stopTokens, stopTexts } = this.#render(request.messages)
    const room = this.contextTokens - prompt.length
    if (room < 1) throw new TooLong(`the prompt has ${prompt.length} tokens, the window ${this.contextTokens}`)
    // What was read ahead is let go first (within a slice), so that its sequence can be found again.
    for (const { yielding } of this.#prewarms) yielding.abort()
    await Promise.all([...this.#prewarms].map(({ ended }) => ended))
    signal.throwIfAborted()
    const lease = await this.#pool.acquire(prompt, signal)
    try {
      granted()
      const startedAt = this.#now()
      const cachedPromptTokens = await this.#read(lease.sequence, prompt, signal, 5)
      const text = new TokenText((tokens, last) => this.#model.detokenize(tokens, false, last))
      const stops = new StopFilter([...stopTexts, ...request.stop])
      const limit = Math.min(request.maxTokens, room)
      const recent: Token[] = []
      let promptMs: number | undefined
      let replyTokens = 0
      let finishReason: 'stop' | 'length' = 'length'
      const tokens = lease.sequence.evaluate(prompt.slice(lease.sequence.nextTokenIndex), {
        ...sampling(request),
        repeatPenalty: { punishTokens: () => recent, penalty: repetition.penalty },
        yieldEogToken: true,
      })
      for await (const token of tokens) {
        promptMs ??= this.#now() - startedAt
        signal.throwIfAborted()
        if (stopTokens.has(token) || this.#model.isEogToken(token) || this.#model.getTokenAttributes(token).control) {
          finishReason = 'stop'
          break
        }
        replyTokens++
        recent.push(token)
        if (recent.length > repetition.tokens) recent.shift()
        const piece = stops.push(text.push(token))
        if (piece !== '') emit(piece)
        if (stops.stopped) finishReason = 'stop'
        if (stops.stopped || replyTokens >= limit) break
      }
      const rest = stops.end()
      if (rest !== '') emit(rest)
      promptMs ??= this.#now() - startedAt
      const replyMs = this.#now() - startedAt - promptMs
      return { finishReason, promptTokens: prompt.length, cachedPromptTokens, replyTokens, promptMs, replyMs }
    } finally {
      lease.release()
    }
  }

  /**
   * Reads all of the prompt but its last slice, and tells how much of it was there already. llama.cpp cannot be
   * stopped inside a batch, so the batches are small. They begin at fixed places and have a fixed size: the size of
   * a batch changes the last bits of the result, and temperature 0 should say the same twice.
   */
  async #read(sequence: LlamaSequence, prompt: Token[], signal: AbortSignal, priority: number): Promise<number> {
    signal.throwIfAborted()
    const keep = Math.min(commonPrefix(sequence.contextTokens, prompt), prompt.length - 1)
    const end = sequence.nextTokenIndex
    if (end > keep) await sequence.eraseContextTokenRanges([{ start: keep, end }])
    // A model that cannot forget a part forgets all.
    const cached = sequence.nextTokenIndex
    for (;;) {
      signal.throwIfAborted()
      const from = sequence.nextTokenIndex
      const to = (Math.floor(from / this.#sliceTokens) + 1) * this.#sliceTokens
      if (to >= prompt.length) return cached
      await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(from, to), { evaluationPriority: priority })
    }
  }

  #render(messages: readonly EngineMessage[]): { prompt: Token[]; stopTokens: Set<Token>; stopTexts: string[] } {
    const chatHistory: ChatHistoryItem[] = messages.map(({ role, content }) =>
      role === 'assistant' ? { type: 'model', response: [content] } : { type: role, text: content },
    )
    if (messages.at(-1)?.role !== 'assistant') chatHistory.push({ type: 'model', response: [] })
    const { contextText, stopGenerationTriggers } = this.#wrapper.generateContextState({ chatHistory })
    const stopTokens = new Set<Token>()
    const stopTexts: string[] = []
    for (const trigger of stopGenerationTriggers) {
      const tokens = trigger.tokenize(this.#model.tokenizer)
      if (tokens[0] !== undefined && tokens.length === 1) stopTokens.add(tokens[0])
      const texts = trigger.values.filter((value) => typeof value === 'string')
      if (texts.length === trigger.values.length) stopTexts.push(texts.join(''))
    }
    return { prompt: this.#withoutSecondBeginning(contextText.tokenize(this.#model.tokenizer)), stopTokens, stopTexts }
  }

  /**
   * The chat wrappers put the token of beginning before every prompt. SmolLM2's is `<|im_start|>`, which then stands
   * there twice, and the model answers in French; Qwen's was never seen at the beginning in training.
   */
  #withoutSecondBeginning(prompt: Token[]): Token[] {
    const { bos, shouldPrependBosToken } = this.#model.tokens
    const [first, second] = prompt
    if (bos === null || first !== bos || second === undefined) return prompt
    const unwanted = !shouldPrependBosToken && this.#model.getTokenAttributes(second).control
    return second === bos || unwanted ? prompt.slice(1) : prompt
  }
}

function sampling({ temperature, topP, seed }: EngineRequest) {
  return {
    temperature: temperature ?? defaultTemperature,
    minP: 0.05,
    ...(topP === undefined ? {} : { topP }),
    ...(seed === undefined ? {} : { seed }),
  }
}
