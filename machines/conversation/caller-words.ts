import type { ConversationPolicy } from './policy.ts'
import type { Milliseconds } from '../vocabulary.ts'
import { beginsWith, foldWords } from '../words.ts'

/** What the caller has said since the last commit: the turn in the making. */
export interface CallerWords {
  finals: readonly string[]
  /** The newest interim transcript, while it is newer than the last final. */
  partial: string | null
  speaker: string | null
  finalAtMs: Milliseconds
  partialAtMs: Milliseconds
  /** When the last voice activity of some length began: a final older than this is not the whole turn. */
  longVoiceAtMs: Milliseconds | null
  /** The detector's word on these transcripts, between 0 and 1; null while it was not asked. */
  endOfTurn: number | null
  /** Some of it was typed: the turn is complete as it stands. */
  isTyped: boolean
  /** Whoever waits for the outcome of this turn. */
  askers: readonly string[]
  /** Speculations started on this turn. */
  speculations: number
}

/** Voice activity since the last commit. */
export interface VoiceActivity {
  /** Counts up, to tell one stretch from the next. */
  serial: number
  startedAtMs: Milliseconds
  endedAtMs: Milliseconds | null
}

/** The words committed last, to know their echo: a transcript that comes late for what is answered already. */
export interface CommittedWords {
  text: string
  /** The partial that was taken as final, whose final may still come. */
  takenPartial: string | null
  atMs: Milliseconds
  voiceSerial: number
}

export const noWords: CallerWords = {
  finals: [],
  partial: null,
  speaker: null,
  finalAtMs: 0,
  partialAtMs: 0,
  longVoiceAtMs: null,
  endOfTurn: null,
  isTyped: false,
  askers: [],
  speculations: 0,
}

/** The turn as it would be committed now: finals and a newer partial, joined with one space. */
export function turnText(said: CallerWords): string {
  return [...said.finals, ...(said.partial === null ? [] : [said.partial])].join(' ')
}

export function hasWords(said: CallerWords): boolean {
  return said.finals.length > 0 || said.partial !== null
}

/** A final exists, no partial is newer, and it came after the last voice activity of some length began. */
export function isComplete(said: CallerWords): boolean {
  return said.finals.length > 0 && said.partial === null && said.finalAtMs >= (said.longVoiceAtMs ?? said.finalAtMs)
}

/** When the turn is over if nothing more is said. */
export function endpointAtMs(said: CallerWords, voice: VoiceActivity | null, policy: ConversationPolicy): Milliseconds {
  const { minDelayMs, maxDelayMs, noVadDelayMs, threshold } = policy.endpointing
  const goesOn = !isComplete(said) || (said.endOfTurn ?? 1) < threshold
  if (voice?.endedAtMs != null) return voice.endedAtMs + (goesOn ? maxDelayMs : minDelayMs)
  return goesOn ? Math.max(said.partialAtMs, said.finalAtMs) + maxDelayMs : said.finalAtMs + noVadDelayMs
}

/** A partial that repeats the beginning of words already final, with no voice since they were. */
export function isStalePartial(text: string, said: CallerWords, voice: VoiceActivity | null): boolean {
  const last = said.finals.at(-1)
  if (last === undefined || !beginsWith(last, text)) return false
  return voice === null || voice.startedAtMs <= said.finalAtMs
}

/**
 * A partial that repeats the beginning of the words just committed, within the longest wait. Such stragglers come
 * from recognizers that send a partial after its final; a real repetition still interrupts with its own final.
 */
export function isEchoedPartial(
  text: string,
  atMs: Milliseconds,
  last: CommittedWords | null,
  maxDelayMs: number,
): boolean {
  return last !== null && atMs - last.atMs <= maxDelayMs && beginsWith(last.text, text)
}

/** The final of a partial that was just taken as final, with no voice since; later the words are said again. */
export function isEchoedFinal(
  text: string,
  atMs: Milliseconds,
  last: CommittedWords | null,
  voice: VoiceActivity | null,
  maxDelayMs: Milliseconds,
): boolean {
  if (last?.takenPartial == null || (voice !== null && voice.serial > last.voiceSerial)) return false
  // The longest wait is over already; a recognizer slower than another two of them is not to be expected.
  if (atMs - last.atMs > 2 * maxDelayMs) return false
  return foldWords(text) === foldWords(last.takenPartial)
}
