/** What every dialect over HTTP is opened with. */
export interface ServerOptions {
  baseUrl: string
  /** Sent as a bearer token. */
  apiKey?: string
  /** Longest line of a stream, and longest reply that comes whole. Default 1 MiB. */
  lineBytes?: number
}

export const defaultLineBytes = 1_048_576

/** Longest reply in tokens where the request names none. */
export const defaultReplyTokens = 512
