import type { ErrorCode, ToolCall, Usage } from '../../machines/vocabulary.ts'

export type { ToolCall } from '../../machines/vocabulary.ts'

/** Which dialect a server speaks; `scripted` is what tests bring. */
export type BackendName = 'ollama-chat' | 'ollama-generate' | 'openai' | 'embedded' | 'scripted'

/** One message as servers know it. Speech is always `user`. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool'
  content: string
  toolCalls?: ToolCall[]
  /** For role `tool`: the call it answers. */
  toolCallId?: string
  toolName?: string
}

/** A named function offered to the model; `parameters` is a JSON Schema object. */
export interface ToolDefinition {
  name: string
  description: string
  parameters: Record<string, unknown>
}

/** One request to one model. Everything that could change the answer is in it. */
export interface ChatRequest {
  model: string
  messages: ChatMessage[]
  /** Room for the reply (`num_predict`, `max_tokens`); always sent. Default 512. */
  maxTokens?: number
  /** Window to allocate (`num_ctx`); must never vary between requests of one model. */
  contextTokens?: number
  temperature?: number
  topP?: number
  seed?: number
  stop?: string[]
  /** Ask a thinking model to think. Default false. */
  think?: boolean
  keepAlive?: string | number
  tools?: ToolDefinition[]
  /**
   * `none`: the functions stay in the prompt, so that its prefix stays the same, but none may be called. A dialect that
   * cannot say so leaves them away. Default `auto`.
   */
  toolChoice?: 'auto' | 'none'
  /** Default true. `false` asks for the reply whole (it still arrives as records). */
  stream?: boolean
}

/** What a backend reports while it serves a request, synchronously, in order. */
export type BackendRecord =
  | { type: 'connected' }
  | { type: 'headers'; status: number }
  | { type: 'delta'; kind: 'text' | 'thinking'; text: string }
  /** A call is being written: a sign of life, where nothing else comes for a while. */
  | { type: 'calling' }
  | { type: 'tool-calls'; calls: ToolCall[] }

/** What the end record said. */
export interface BackendEnd {
  model: string
  finishReason: 'stop' | 'length' | 'tool-calls' | 'content-filter'
  usage: Usage
  loadMs?: number
  promptMs?: number
  /** Time the server spent on writing the reply's tokens. */
  replyMs?: number
}

export interface ModelInfo {
  name: string
  /** undefined: the server does not tell. */
  loaded?: boolean
  /** Window really allocated, where known. */
  contextTokens?: number
  /** Longest window the model was trained for, where known. */
  trainedContextTokens?: number
  /** False for an embedding model and the like. */
  chat?: boolean
  sizeBytes?: number
}

/**
 * One server dialect (or the engine in the process). It has no policy: no retry, no time-out of its own.
 *
 * `stream` calls `on` synchronously for every record and resolves with the end record; a stream that ends without
 * one rejects with `protocol`. It rejects with an LlmError, and with the signal's reason once `signal` aborts:
 * the socket is closed then, also where no byte has come. Nothing is reported after that.
 */
export interface Backend {
  readonly name: BackendName
  /** The failure domain: scheme, host and port, or `embedded`. */
  readonly origin: string
  /** True when an abort while the prompt is read frees the server at once (SPEC speculation `auto`). */
  readonly canAbortPrompt: boolean
  stream(request: ChatRequest, on: (record: BackendRecord) => void, signal: AbortSignal): Promise<BackendEnd>
  /** The models the server has, with what it tells of them. Loads nothing. */
  models(signal: AbortSignal): Promise<ModelInfo[]>
  /** One model in detail (context length); rejects with `model-missing`. Loads nothing. */
  describe(model: string, signal: AbortSignal): Promise<ModelInfo>
  /** Exact token count, where the engine has a tokenizer. */
  countTokens?(model: string, text: string, signal?: AbortSignal): Promise<number>
  /** Reads a prompt ahead so that its prefix is cached; only where a slot is spare. */
  prewarm?(request: ChatRequest, signal: AbortSignal): Promise<void>
  close?(): Promise<void>
}

export interface LlmErrorFacts {
  message: string
  cause?: unknown
  status?: number
  retryAfterMs?: number
  backend?: string
  /** Failure domain to leave alone (SPEC §10), where the fault is the server's and not the model's. */
  origin?: string
  /** Overrides what the code says by default. */
  retryable?: boolean
  /**
   * Finer than the code, for policy: e.g. `refused`, `reset-before-headers`, `closed-before-headers`, `connect-timeout`,
   * `name-not-found`, `tls`, `not-http`, `headers-too-large`, `redirect`, `path-missing`, `capability`, `unauthorized`,
   * `busy`, `rate-limited`, `no-end`, `cut`, `bad-record`, `error-record`, `content-type`, `line-too-long`,
   * `bad-call` (the model wrote a call that the server could not read).
   */
  fault?: string
}

const retryableCodes: ReadonlySet<ErrorCode> = new Set([
  'connection',
  'timeout',
  'overloaded',
  'empty-reply',
  'sink',
  'sink-stalled',
])

/**
 * The one error class of colloquy. Decide by `code`; `message` is one line for people: what is wrong, what to do.
 * It never quotes the caller and never holds a secret.
 */
export class LlmError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
  readonly backend: string | undefined
  readonly origin: string | undefined
  readonly fault: string | undefined

  constructor(code: ErrorCode, facts: LlmErrorFacts) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.name = 'LlmError'
    this.code = code
    this.retryable = facts.retryable ?? (retryableCodes.has(code) || (code === 'http' && (facts.status ?? 0) >= 500))
    this.status = facts.status
    this.retryAfterMs = facts.retryAfterMs
    this.backend = facts.backend
    this.origin = facts.origin
    this.fault = facts.fault
  }
}
