import type { Milliseconds } from '../../machines/vocabulary.ts'
import { heardSource } from './heard-text.ts'
import type { Playback } from './sink.ts'
import { expectedSpeechMs, type CharMs } from './speech-length.ts'

/** What the ledger keeps of a segment: a `Segment`, or one that was cut and belongs to no reply yet. */
export interface LedgerSegment {
  readonly index: number
  readonly text: string
  readonly source: string
  readonly gap: string
}

/** What was cut, handed over and acknowledged of one reply: the truth about what the caller heard. */
export interface Ledger {
  /** The segment exists, but the sink does not have it yet: it counts as unspoken. */
  cut(segment: LedgerSegment): void
  /** The attempt was given up unheard: what was cut and not handed over is void. */
  restarted(): void
  /** The sink has the segment from now on. */
  handed(segment: LedgerSegment): void
  /** What the sink says of a segment. Out of range is clamped, what is unknown or came before is ignored. */
  acknowledged(index: number, playback: Playback, nowMs: Milliseconds): void
  /** The sound stands still. */
  paused(nowMs: Milliseconds): void
  resumed(nowMs: Milliseconds): void
  /** Source text of what was acknowledged; white space between segments as the model wrote it. */
  heard(): string
  isAnythingHeard(): boolean
  /** Every segment that was handed over has been played to its end, and there was one. */
  isEverythingHeard(): boolean
  /**
   * Estimate of the audio that was cut and not played. Between two acknowledgements of a segment that has started the
   * time that passes counts as played.
   */
  unspokenMs(nowMs: Milliseconds): Milliseconds
}

interface Entry {
  readonly segment: LedgerSegment
  readonly expectedMs: Milliseconds
  chars: number
  isFinished: boolean
  /** When the latest acknowledgement came; null until the first sound. */
  soundAtMs: Milliseconds | null
}

/** Opens the ledger of one reply. It is told the time and never asks for it. */
export function createLedger(charMs: CharMs): Ledger {
  const waiting = new Map<number, LedgerSegment>()
  const entries = new Map<number, Entry>()
  const inOrder: Entry[] = []
  const unfinished = new Set<Entry>()
  /** Those played to their end, in a row from the first: their text is put together once. */
  let settled = 0
  let settledText = ''
  let pausedAtMs: Milliseconds | null = null
  let waitingMs = 0

  const lengthMs = (segment: LedgerSegment): Milliseconds => expectedSpeechMs(segment.text, charMs)
  const isHandedFully = (entry: Entry): boolean => entry.isFinished || entry.chars >= entry.segment.text.length

  const remainingMs = (
    { segment, expectedMs, chars, isFinished, soundAtMs }: Entry,
    nowMs: Milliseconds,
  ): Milliseconds => {
    if (isFinished) return 0
    const acknowledgedMs = segment.text.length === 0 ? expectedMs : (expectedMs * chars) / segment.text.length
    const sinceMs = soundAtMs === null ? 0 : Math.max(0, (pausedAtMs ?? nowMs) - soundAtMs)
    return Math.max(0, expectedMs - acknowledgedMs - sinceMs)
  }

  const after = (text: string, { segment }: Entry, source: string): string =>
    text === '' || source === '' ? text + source : text + segment.gap + source

  const heard = (): string => {
    for (;;) {
      const entry = inOrder[settled]
      if (entry === undefined) return settledText
      if (!isHandedFully(entry)) return after(settledText, entry, heardSource(entry.segment, entry.chars))
      settledText = after(settledText, entry, entry.segment.source)
      settled += 1
    }
  }

  return {
    cut(segment) {
      if (entries.has(segment.index) || waiting.has(segment.index)) return
      waiting.set(segment.index, segment)
      waitingMs += lengthMs(segment)
    },
    restarted() {
      waiting.clear()
      waitingMs = 0
    },
    handed(segment) {
      if (entries.has(segment.index)) return
      const known = waiting.get(segment.index)
      if (known !== undefined) waitingMs -= lengthMs(known)
      waiting.delete(segment.index)
      const entry: Entry = {
        segment,
        expectedMs: lengthMs(segment),
        chars: 0,
        isFinished: false,
        soundAtMs: null,
      }
      entries.set(segment.index, entry)
      inOrder.push(entry)
      unfinished.add(entry)
    },
    acknowledged(index, playback, nowMs) {
      const entry = entries.get(index)
      if (entry === undefined || entry.isFinished) return
      switch (playback.type) {
        case 'started':
          entry.soundAtMs ??= nowMs
          return
        case 'progressed': {
          const chars = Math.min(entry.segment.text.length, Math.floor(playback.chars))
          if (!(chars >= entry.chars)) return
          entry.chars = chars
          entry.soundAtMs = nowMs
          return
        }
        case 'finished':
          entry.isFinished = true
          unfinished.delete(entry)
          entry.chars = entry.segment.text.length
      }
    },
    paused(nowMs) {
      pausedAtMs ??= nowMs
    },
    resumed(nowMs) {
      if (pausedAtMs === null) return
      for (const entry of unfinished) {
        if (entry.soundAtMs !== null) entry.soundAtMs += Math.max(0, nowMs - Math.max(pausedAtMs, entry.soundAtMs))
      }
      pausedAtMs = null
    },
    heard,
    isAnythingHeard: () => heard() !== '',
    isEverythingHeard: () => entries.size > 0 && unfinished.size === 0,
    unspokenMs(nowMs) {
      let unspoken = Math.max(0, waitingMs)
      for (const entry of unfinished) unspoken += remainingMs(entry, nowMs)
      return unspoken
    },
  }
}
