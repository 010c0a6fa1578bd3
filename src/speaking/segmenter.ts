import type { CutSegment, Milliseconds, Segmenter } from '../../machines/vocabulary.ts'
import type { Settings } from '../config/config.ts'
import { BreakPlaces, cutAtLimit } from './break-places.ts'
import { isSpace } from './characters.ts'
import { SentenceEnds } from './sentence-end.ts'
import { expectedSpeechMs } from './speech-length.ts'
import { outsideOfCode, toSpeakable } from './to-speakable.ts'

export type { CutSegment, Segmenter } from '../../machines/vocabulary.ts'

export interface SegmenterOptions {
  /** BCP 47 tag, for what a full stop may mean. */
  language: string
  segments: Settings['segments']
  /** Audio cut and not yet played. Without it segments are whole sentences, whatever time it is. */
  unspokenMs?: () => Milliseconds
}

/** Source that is cut off: `gap` is the white space before it. */
interface Piece {
  source: string
  gap: string
}

// A character may be two units, and a place is only known to be free by the unit behind it.
const lookAheadUnits = 2
/** What is said of a segment without a word in it, such as a long row of dashes: a pause. */
const pause = '…'
const nothing: Piece = { source: '', gap: '' }

/**
 * Cuts a streaming reply into segments: sentences as soon as the next one has begun, clauses or a few words only while
 * the voice would otherwise fall silent. Slicing of the deltas never changes the sentences. Each character is looked at a
 * fixed number of times, whatever a model writes and however it comes: the work is linear in the text.
 */
export function createSegmenter({ language, segments, unspokenMs }: SegmenterOptions): Segmenter {
  const { maxChars } = segments
  /** What is not cut off yet; it begins with something else than white space. */
  let pending = ''
  let gap = ''
  let index = 0
  let startsLine = true
  let speakableState = outsideOfCode
  /** Emoji or markup alone are nothing to hand over: they wait for words to go with. */
  let held = nothing
  /** The same, but too long to go with words: they are segments of their own, once words follow. */
  let aside: Piece[] = []
  const ends = new SentenceEnds(language)
  let places: BreakPlaces | null = null
  /** Characters that the segment may have beside what is held. */
  let room = maxChars

  const append = (text: string): void => {
    if (pending !== '') {
      pending += text
      return
    }
    let blanks = 0
    while (blanks < text.length && isSpace(text.charCodeAt(blanks))) blanks += 1
    gap += text.slice(0, blanks)
    pending = text.slice(blanks)
    ends.cut(blanks)
    if (pending !== '') begin()
  }

  const begin = (): void => {
    const isFirst = index === 0 && held === nothing && aside.length === 0
    startsLine = isFirst || /[\n\r]/.test(gap)
    // A control string is over with its line.
    if (gap.includes('\n')) speakableState = { fence: speakableState.fence }
    places = null
    const taken = held.source.length + (held === nothing ? 0 : gap.length)
    if (taken > maxChars / 2) setAside()
    room = maxChars - (held === nothing ? 0 : taken)
  }

  const setAside = (): void => {
    aside.push(held)
    held = nothing
  }

  const emit = (text: string, { source, gap: before }: Piece): CutSegment => {
    index += 1
    return { index: index - 1, text, source, gap: index === 1 ? '' : before }
  }

  const take = (end: number): CutSegment[] => {
    const own = pending.slice(0, end).trimEnd()
    const piece = held === nothing ? { source: own, gap } : { source: held.source + gap + own, gap: held.gap }
    const rest = pending.slice(own.length)
    const { text, state } = toSpeakable(own, speakableState)
    speakableState = state
    const cuts: CutSegment[] = []
    if (text === '') {
      held = piece
    } else {
      for (const silent of aside) cuts.push(emit(pause, silent))
      cuts.push(emit(text, piece))
      aside = []
      held = nothing
    }
    pending = ''
    gap = ''
    ends.cut(own.length)
    append(rest)
    return cuts
  }

  /** The next end that nothing but the text decides, or -1. */
  const findEnd = (isOver: boolean): number => {
    const limit = room + lookAheadUnits
    const end = Math.min(pending.length, limit)
    const found = ends.find({ text: pending, end, isOver: isOver && end === pending.length, startsLine })
    if (found >= 0 && found <= room) return found
    const isTooLong = pending.length >= limit || (isOver && pending.trimEnd().length > room)
    return isTooLong ? cutAtLimit(pending, room) : -1
  }

  /** An end that time forces: the voice is about to fall silent. */
  const findForcedEnd = (unspoken: Milliseconds): number => {
    const { clauseBelowMs, wordsBelowMs, words, clauseChars, firstClauseChars } = segments
    const minClause = unspoken < clauseBelowMs ? (index === 0 ? firstClauseChars : clauseChars) : Infinity
    const minWords = unspoken < wordsBelowMs ? words : Infinity
    if (minClause === Infinity && minWords === Infinity) return -1
    places ??= new BreakPlaces()
    places.read(pending, Math.min(pending.length, room))
    return places.first(pending, (place) => (place.isClause && place.at >= minClause) || place.words >= minWords)
  }

  const cut = (isOver: boolean): CutSegment[] => {
    const cuts: CutSegment[] = []
    let cutMs = 0
    const add = (more: CutSegment[]) => {
      cuts.push(...more)
      for (const { text } of more) cutMs += expectedSpeechMs(text, segments.charMs)
    }
    while (pending !== '') {
      const end = findEnd(isOver)
      if (end < 0) break
      add(take(end))
    }
    if (isOver || unspokenMs === undefined) return cuts
    while (pending.length >= Math.min(segments.firstClauseChars, 2 * segments.words)) {
      const end = findForcedEnd(unspokenMs() + cutMs)
      if (end < 0) break
      add(take(end))
    }
    return cuts
  }

  return {
    push(delta) {
      if (delta === '') return []
      append(delta)
      return cut(false)
    },
    end() {
      const cuts = cut(true)
      if (pending !== '') cuts.push(...take(pending.length))
      // Nothing follows that it could go with: it goes by itself, so that none is lost. A reply of nothing else is silent.
      if (held !== nothing) setAside()
      if (index > 0) for (const silent of aside) cuts.push(emit(pause, silent))
      aside = []
      return cuts
    },
  }
}
