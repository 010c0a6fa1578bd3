/** One line of a conversation's log: a fact that was told, as JSON text. */
export interface StoredLine {
  /** From 1, without gaps. */
  seq: number
  body: string
  /** Chains the line to all before it, see `record.ts`. A store keeps it and does not read it. */
  check: string
}

/** A conversation as a store keeps it: text alone. What it means is `record.ts`'s business. */
export interface StoredConversation {
  /** What the chart must know to go on, as JSON text. */
  snapshot: string
  /** By `seq`. */
  lines: readonly StoredLine[]
}

/** What one commit adds: the new lines and the snapshot that belongs to the last of them. */
export interface StoreWrite {
  conversationId: string
  snapshot: string
  lines: readonly StoredLine[]
}

export interface StoredSummary {
  conversationId: string
  lines: number
  /** ISO 8601, on the store's wall clock. */
  createdAt: string
  updatedAt: string
}

/**
 * Where conversations are kept between two runs of a program. All methods reject with an LlmError `store` whose message
 * says what to do. A store has one writer: the service that was given it, which also closes it.
 */
export interface ConversationStore {
  /**
   * Makes it ready; called before anything else but `close`, and again where it failed. Resolves with what had to be put aside because it could not be
   * read at all, and rejects when there can be no store here (another process writes it, a folder is missing).
   */
  open(): Promise<{ setAside?: SetAside }>
  /** undefined: never heard of. */
  load(conversationId: string): Promise<StoredConversation | undefined>
  /** All of it or nothing; resolves when a crash of the machine would no longer lose it. */
  commit(write: StoreWrite): Promise<void>
  /** Moves a conversation that cannot be used out of the way, unchanged, for people to look at. Resolves with where it is now. */
  setAside(conversationId: string, reason: string): Promise<string>
  /** Newest first. */
  list(): Promise<StoredSummary[]>
  /** Whether there was one. */
  delete(conversationId: string): Promise<boolean>
  /** Finishes what was asked before. */
  close(): Promise<void>
}

export interface SetAside {
  /** The path or name under which it is kept. */
  to: string
  reason: string
}
