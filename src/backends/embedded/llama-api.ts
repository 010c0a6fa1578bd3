/**
 * The part of node-llama-cpp that is used. It is not a dependency (it is provisioned into the user's cache folder and
 * imported from there), so its types are written down here, as version 3.21 has them.
 */

export type Token = number

export interface Llama {
  loadModel(options: { modelPath: string }): Promise<LlamaModel>
}

export interface LlamaText {
  readonly values: readonly unknown[]
  tokenize(tokenizer: unknown): Token[]
}

export type ChatHistoryItem =
  | { type: 'system'; text: string }
  | { type: 'user'; text: string }
  | { type: 'model'; response: string[] }

export interface ChatWrapper {
  generateContextState(options: { chatHistory: ChatHistoryItem[] }): {
    contextText: LlamaText
    stopGenerationTriggers: LlamaText[]
  }
}

export interface LlamaModel {
  readonly tokenizer: unknown
  readonly tokens: { readonly bos: Token | null; readonly shouldPrependBosToken: boolean }
  tokenize(text: string, specialTokens?: boolean): Token[]
  detokenize(tokens: readonly Token[], specialTokens?: boolean, lastTokens?: readonly Token[]): string
  isEogToken(token: Token): boolean
  getTokenAttributes(token: Token): { readonly control: boolean }
  createContext(options: {
    contextSize: number
    sequences: number
    batchSize: number
    threads: { ideal: number; min: number }
    failedCreationRemedy: false
  }): Promise<LlamaContext>
}

export interface LlamaContext {
  readonly contextSize: number
  getSequence(): LlamaSequence
}

export interface EvaluateOptions {
  temperature?: number
  topP?: number
  minP?: number
  seed?: number
  repeatPenalty?: { punishTokens: () => Token[]; penalty: number }
  evaluationPriority?: number
  yieldEogToken?: boolean
}

export interface LlamaSequence {
  /** Tokens whose state is held. A copy. */
  readonly contextTokens: Token[]
  readonly nextTokenIndex: number
  eraseContextTokenRanges(ranges: { start: number; end: number }[]): Promise<void>
  evaluateWithoutGeneratingNewTokens(tokens: Token[], options?: { evaluationPriority?: number }): Promise<void>
  evaluate(tokens: Token[], options?: EvaluateOptions): AsyncGenerator<Token, void, void>
}

export interface LlamaModule {
  getLlama(options: {
    build: 'never'
    skipDownload: true
    gpu: 'metal' | false
    maxThreads: number
    logLevel: 'error'
    progressLogs: false
  }): Promise<Llama>
  resolveChatWrapper(model: LlamaModel, options: { warningLogs: false }): ChatWrapper
}
