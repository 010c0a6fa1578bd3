import type { CutSegment, Milliseconds, Segmenter } from '../../machines/vocabulary.ts'
import type { Settings } from '../config/config.ts'
import { cutAtLimit, findBreakPlace } from './break-places.ts'
import { isCutCharacter, isSpace, isSpoken } from './characters.ts'
import { judgeSentenceEnd, nextCandidate } from './sentence-end.ts'
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

// A character may be two units, and a place is only known to be free by the unit behind it.
const lookAheadUnits = 2

/**
 * Cuts a streaming reply into segments: sentences as soon as the next one has begun, clauses or a few words only while
 * the voice would otherwise fall silent. Slicing of the deltas never changes the sentences: a delta is one look at text
 * that is judged character by character, within a window of `maxChars`, so the work is linear in the text.
 */
export function createSegmenter({ language, segments, unspokenMs }: SegmenterOptions): Segmenter {
  const { maxChars } = segments
  let pending = ''
  /** White space at the beginning, and where the segment begins once more than that has come. */
  let blanks = 0
  let start = -1
  let examined = 0
  let candidate = -1
  let index = 0
  let startsLine = true
  let speakableState = outsideOfCode
  // Emoji or markup alone are nothing to hand over: they wait for words to go with.
  let held = { source: '', gap: '' }

  const findStart = (): boolean => {
    if (start >= 0) return true
    while (blanks < pending.length && isSpace(pending.charCodeAt(blanks))) blanks += 1
    if (blanks === pending.length) return false
    start = blanks
    examined = start
    startsLine = (index === 0 && held.source === '') || /[\n\r]/.test(pending.slice(0, start))
    return true
  }

  const take = (end: number): CutSegment | null => {
    const own = pending.slice(start, end).trimEnd()
    const gap = pending.slice(0, start)
    pending = pending.slice(start + own.length)
    start = -1
    blanks = 0
    candidate = -1
    examined = 0
    const source = held.source === '' ? own : held.source + gap + own
    const outerGap = held.source === '' ? gap : held.gap
    const { text, state } = toSpeakable(own, speakableState)
    speakableState = state
    if (text === '') {
      held = { source, gap: outerGap }
      return null
    }
    held = { source: '', gap: '' }
    index += 1
    return { index: index - 1, text, source, gap: index === 1 ? '' : outerGap }
  }

  /** The next end that nothing but the text decides, or -1. */
  const findEnd = (isOver: boolean): number => {
    const limit = start + maxChars + lookAheadUnits
    const end = Math.min(pending.length, limit)
    for (;;) {
      if (candidate < 0) candidate = nextCandidate(pending, examined, end, language)
      if (candidate < 0) break
      const atEnd = isOver && end === pending.length
      const verdict = judgeSentenceEnd({ text: pending, start, end, isOver: atEnd, startsLine, language }, candidate)
      if (verdict.kind === 'end' && verdict.at - start <= maxChars) return verdict.at
      if (verdict.kind === 'wait' || verdict.kind === 'end') break
      examined = verdict.from
      candidate = -1
    }
    // Half a character at the end is looked at again when it is whole.
    if (candidate < 0) examined = isCutCharacter(pending, end - 1, end) ? end - 1 : end
    const tooLong = pending.length >= limit || (isOver && pending.trimEnd().length - start > maxChars)
    return tooLong ? cutAtLimit(pending, start, maxChars) : -1
  }

  /** An end that time forces: the voice is about to fall silent. */
  const findForcedEnd = (unspoken: Milliseconds): number => {
    const { clauseBelowMs, wordsBelowMs, words, clauseChars, firstClauseChars } = segments
    const minClause = unspoken < clauseBelowMs ? (index === 0 ? firstClauseChars : clauseChars) : Infinity
    const minWords = unspoken < wordsBelowMs ? words : Infinity
    if (minClause === Infinity && minWords === Infinity) return -1
    const end = Math.min(pending.length, start + maxChars)
    return findBreakPlace(
      pending,
      start,
      end,
      ({ at, isClause, words: before }) => (isClause && at - start >= minClause) || before >= minWords,
      // Something must be left to say, and its words must have begun.
      ({ at }) => isSpoken(pending.slice(at)),
    )
  }

  const cut = (isOver: boolean): CutSegment[] => {
    const cuts: CutSegment[] = []
    let cutMs = 0
    const add = (segment: CutSegment | null) => {
      if (segment === null) return
      cuts.push(segment)
      cutMs += expectedSpeechMs(segment.text, segments.charMs)
    }
    while (findStart()) {
      const end = findEnd(isOver)
      if (end < 0) break
      add(take(end))
    }
    if (isOver || unspokenMs === undefined) return cuts
    while (findStart() && pending.length - start >= Math.min(segments.firstClauseChars, 2 * segments.words)) {
      const end = findForcedEnd(unspokenMs() + cutMs)
      if (end < 0) break
      add(take(end))
    }
    return cuts
  }

  return {
    push(delta) {
      if (delta === '') return []
      pending += delta
      return cut(false)
    },
    end() {
      const cuts = cut(true)
      const last = findStart() ? take(pending.length) : null
      if (last !== null) cuts.push(last)
      // Nothing was said that it could go with, and nothing follows: it is said as it stands, so that none is lost.
      if (held.source !== '' && index > 0) {
        cuts.push({ index, text: held.source.slice(0, maxChars), source: held.source, gap: held.gap })
        index += 1
      }
      held = { source: '', gap: '' }
      return cuts
    },
  }
}
