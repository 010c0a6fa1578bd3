import { createNoRepeat } from './no-repeat.ts'
import type { CutSegment, Segmenter } from './types.ts'

/** What one attempt has said: its text within the limit, and the segments it makes. */
export interface ReplyText {
  /** What of this piece is new and within the limit: it is to be told to readers, and cut. */
  accept(text: string): string
  /** What was held back because it might have been a repetition. */
  acceptRest(): string
  /** The segments that an accepted piece completes. */
  push(accepted: string): CutSegment[]
  /** The segments that were still open. With `cut` an unfinished last sentence is left out. */
  end(options: { cut: boolean }): CutSegment[]
  readonly text: string
  /** What this attempt alone said. */
  readonly own: string
  /** What of it became segments. */
  readonly spoken: string
  /** The limit is reached: nothing more is taken. */
  readonly full: boolean
  /** Nothing in it can be spoken: no letter, no number. */
  readonly empty: boolean
}

/** Counts the characters and feeds the segmenter. `after` is what other attempts of the reply have said before. */
export function createReplyText(options: {
  segmenter: Segmenter
  limitChars: number
  after: { text: string; segments: number }
  /** The model was asked to go on where the text was cut, and may begin with what was said. */
  goesOn: boolean
}): ReplyText {
  const { segmenter, after } = options
  const room = Math.max(0, options.limitChars - after.text.length)
  const fresh = createNoRepeat(options.goesOn ? after.text : '')
  let own = ''
  let kept: string | undefined
  let said = ''

  function place(segments: CutSegment[]): CutSegment[] {
    if (after.segments === 0) return segments
    return segments.map((segment) => ({
      ...segment,
      index: segment.index + after.segments,
      gap: segment.index === 0 ? segment.gap || ' ' : segment.gap,
    }))
  }

  function keep(segments: CutSegment[]): CutSegment[] {
    const placed = place(segments)
    for (const { gap, source } of placed) said += gap + source
    return placed
  }

  function take(text: string): string {
    const left = room - own.length
    const taken = text.length <= left ? text : wholeCharacters(text.slice(0, left))
    own += taken
    return taken
  }

  return {
    accept: (text) => take(fresh.push(text)),
    acceptRest: () => take(fresh.end()),
    push: (accepted) => keep(accepted === '' ? [] : segmenter.push(accepted)),
    end({ cut }) {
      const last = segmenter.end()
      if (!cut) return keep(last)
      // Half a sentence at the end of a reply that was cut by a limit is worse than none, unless it is all there is.
      const finished = last.filter((segment, index) => index < last.length - 1 || endsSentence(segment.source))
      const segments = keep(finished.length === 0 && said === '' ? last : finished)
      kept = said
      return segments
    },
    get text() {
      return (after.text + (kept ?? gapped(after.text, own))).trim()
    },
    get own() {
      return own.trim()
    },
    get spoken() {
      return said.trim()
    },
    get full() {
      return own.length >= room
    },
    get empty() {
      // One that was to go on with what was heard may have nothing to add; one that has results is to answer.
      return !(options.goesOn && after.text !== '') && !/[\p{L}\p{N}]/u.test(own)
    },
  }
}

const endsSentence = (source: string) => /[.!?…。！？।॥؟۔]["'»”’)\]*_]*$/u.test(source)
const gapped = (before: string, text: string) => (before === '' || /^\s/u.test(text) ? text : ` ${text}`)
/** A surrogate pair is not cut in two. */
const wholeCharacters = (text: string) => (/[\uD800-\uDBFF]$/.test(text) ? text.slice(0, -1) : text)
