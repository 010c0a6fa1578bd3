import type { CallPlace, ReplyEnd, ReplyPurpose, Segment, Failure, ToolCall } from '../vocabulary.ts'

/** A reply as the conversation sees it: what it has brought so far and how it ended. Plain data. */
export interface Exchange {
  replyId: string
  turnId: string
  purpose: ReplyPurpose
  /** The words it answers, or says. */
  text: string
  /** Whoever waits for its outcome. */
  askers: readonly string[]
  /** Plays to its end whatever the caller says. */
  protected: boolean
  attempt: number
  /** Segments cut and not yet with the player. */
  waiting: readonly Segment[]
  /** How many segments were cut, and how many were played to their end. */
  cut: number
  played: number
  /** Functions that run for it. */
  calls: readonly (ToolCall & CallPlace)[]
  /** The voice activity that a hand-over or a resumption has already allowed for. */
  toleratedVoice: number
  /** Whether the store has the words that it answers; `no-store` where nobody is asked. */
  stored: 'no-store' | 'awaited' | 'durable' | 'not-durable'
  end: { ok: true; facts: ReplyEnd } | { ok: false; error: Failure } | null
}

export function newExchange(
  given: Pick<Exchange, 'replyId' | 'turnId' | 'purpose' | 'text'> &
    Partial<Pick<Exchange, 'askers' | 'protected' | 'stored'>>,
): Exchange {
  return {
    askers: [],
    protected: false,
    stored: 'no-store',
    ...given,
    attempt: 0,
    waiting: [],
    cut: 0,
    played: 0,
    calls: [],
    toleratedVoice: 0,
    end: null,
  }
}

export function withSegment(exchange: Exchange, attempt: number, segment: Segment): Exchange {
  return { ...exchange, attempt, waiting: [...exchange.waiting, segment], cut: exchange.cut + 1 }
}

/** An attempt was given up unheard: the next one starts from an empty page. */
export function withoutSegments(exchange: Exchange, attempt: number): Exchange {
  return { ...exchange, attempt, waiting: [], cut: 0 }
}

/** The text is over and every segment of it was played. */
export function isPlayedOut(exchange: Exchange | null): boolean {
  return exchange !== null && exchange.end !== null && exchange.played >= exchange.cut
}
