/** What a loopback server does wrong with a reply. `afterDeltas` (default 0): text deltas that arrive before it. */
export type LoopbackFault =
  /** Answers this status instead; `body` as JSON unless it is text. */
  | { kind: 'http'; status: number; body?: unknown; headers?: Record<string, string> }
  | { kind: 'redirect'; to: string; status?: number }
  /** The model is unknown: 404 in the dialect's words. */
  | { kind: 'model-missing' }
  /** The route is unknown: 404 in plain text. */
  | { kind: 'path-missing' }
  /** 400 in the dialect's words: the prompt is longer than the window. */
  | { kind: 'context-overflow' }
  /** An error status whose body breaks off, never comes, is huge, or is a web page. */
  | { kind: 'unreadable-error' | 'stalled-error' | 'huge-error' | 'html-error'; status: number }
  /** Before the headers: a TCP reset, an orderly close, bytes that are no HTTP, headers over every limit, silence. */
  | { kind: 'reset' | 'close' | 'not-http' | 'huge-headers' | 'silent' }
  /** 200 with a web page. */
  | { kind: 'html' }
  /** In the body: a reset; a close without the last chunk; a clean end without the end record; silence for ever. */
  | { kind: 'cut' | 'close-body' | 'no-end' | 'stall'; afterDeltas?: number }
  /** The server says in its stream that it failed. */
  | { kind: 'error-record'; afterDeltas?: number; message?: string }
  /** A line that is not JSON; a chunk size that is no number. */
  | { kind: 'bad-line' | 'bad-chunk'; afterDeltas?: number }
  /** A line of this many bytes (default 2 MiB). */
  | { kind: 'long-line'; afterDeltas?: number; bytes?: number }
  /** Nothing more but blank lines or comments, for ever; one per `everyMs` (default 20). */
  | { kind: 'keep-alive'; afterDeltas?: number; everyMs?: number }
  /** The last delta over and over, as fast as the client takes it. */
  | { kind: 'endless' }
  /** A gzip body that stops half way; one with a wrong byte. */
  | { kind: 'truncated-gzip' | 'corrupt-gzip'; afterDeltas?: number }
  /** More records after the end record, and the connection left open; the end record twice. */
  | { kind: 'after-end' | 'two-ends' }

/** One reply of a loopback server. Without anything it says `Hello.`; with function calls and no text, nothing. */
export interface LoopbackReply {
  /** Cut into deltas as a model would: each a word with the white space before it. */
  text?: string
  /** The deltas verbatim, instead of `text`. */
  deltas?: readonly string[]
  /** Thinking deltas before the text. */
  thinking?: readonly string[]
  /** Function calls; `arguments` as text is sent as it is (broken JSON, for one). */
  toolCalls?: readonly { id?: string; name: string; arguments: unknown }[]
  /** What the end record says. Default `stop`. */
  finishReason?: 'stop' | 'length' | 'content_filter'
  /** Token counts and times of the end record. */
  usage?: {
    promptTokens?: number
    cachedPromptTokens?: number
    replyTokens?: number
    loadMs?: number
    promptMs?: number
  }
  /** Waits for `release(i)` before the headers, before the text delta of this index, or before each of them. */
  hold?: 'headers' | 'each' | number
  /** Answers in one piece of JSON though a stream was asked for. */
  whole?: boolean
  /** Writes the body in pieces of this many bytes. */
  sliceBytes?: number
  /** CRLF, blank lines and comments between the records. */
  untidy?: boolean
  /** Compresses the body. */
  gzip?: boolean
  /** Overrides the content type. */
  contentType?: string
  /** The body verbatim, instead of everything above. */
  raw?: string | Uint8Array
  fault?: LoopbackFault
}

/** The deltas of a reply's text. */
export function deltasOf({ deltas, toolCalls = [], text = toolCalls.length > 0 ? '' : 'Hello.' }: LoopbackReply) {
  return deltas ?? text.match(/(?<!\s)\s*\S+/gu) ?? (text === '' ? [] : [text])
}
