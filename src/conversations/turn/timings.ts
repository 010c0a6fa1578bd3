import type { Clock, Milliseconds, Timings } from '../../../machines/vocabulary.ts'

/** The moments of one turn, from which its timings are told. */
export interface TurnMoments {
  /** When the caller's speech ended (the transcript, where no voice activity is known). */
  callerEndedAtMs?: Milliseconds
  askedAtMs?: Milliseconds
  firstTokenAtMs?: Milliseconds
  firstSegmentAtMs?: Milliseconds
  firstAudioAtMs?: Milliseconds
  /** When the voice began that interrupted, and when the sink fell silent for it. */
  bargeInAtMs?: Milliseconds
  silentAtMs?: Milliseconds
  queuedAtMs?: Milliseconds
  /** Told by the reply: waiting for a slot, and what the backend says of itself. */
  queueMs?: Milliseconds
  loadMs?: Milliseconds
  promptMs?: Milliseconds
  replyMs?: Milliseconds
  replyTokens?: number
}

/** What is knowable so far; nothing is made up where a moment is missing. */
export function timingsOf(moments: TurnMoments, clock: Clock): Timings {
  const since = (from: Milliseconds | undefined, to: Milliseconds | undefined) =>
    from === undefined || to === undefined ? undefined : Math.max(0, rounded(to - from))
  const told = (ms: Milliseconds | undefined) => (ms === undefined ? undefined : rounded(ms))
  const { askedAtMs, replyMs, replyTokens } = moments
  return withoutUnknown({
    queueMs: told(moments.queueMs),
    loadMs: told(moments.loadMs),
    promptMs: told(moments.promptMs),
    timeToFirstTokenMs: since(askedAtMs, moments.firstTokenAtMs),
    timeToFirstSegmentMs: since(askedAtMs, moments.firstSegmentAtMs),
    timeToFirstAudioMs: since(moments.callerEndedAtMs ?? askedAtMs, moments.firstAudioAtMs),
    totalMs: since(askedAtMs, clock.now()),
    tokensPerSecond:
      replyMs !== undefined && replyTokens !== undefined && replyMs > 0
        ? rounded((replyTokens * 1_000) / replyMs)
        : undefined,
    bargeInToSilenceMs: since(moments.bargeInAtMs, moments.silentAtMs),
  })
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100
}

function withoutUnknown(all: { [Key in keyof Timings]: Timings[Key] | undefined }): Timings {
  const known: Timings = {}
  for (const key of timingNames) {
    const value = all[key]
    if (value !== undefined) known[key] = value
  }
  return known
}

const timingNames = [
  'queueMs',
  'loadMs',
  'promptMs',
  'timeToFirstTokenMs',
  'timeToFirstSegmentMs',
  'timeToFirstAudioMs',
  'totalMs',
  'tokensPerSecond',
  'bargeInToSilenceMs',
] as const
