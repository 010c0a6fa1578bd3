import { isSpace } from './characters.ts'
import { mapSpeakable, type MappedSpeakable, type SpeakableState } from './to-speakable.ts'

const wordSegmenter = new Intl.Segmenter('en', { granularity: 'word' })
const closingMarks = /^(?:[*_~`]+|\]\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\]\[[^\]\n]*\])+/

/** What is needed to tell heard source from played characters: no state, so that a log can be replayed. */
export interface SpokenText {
  readonly text: string
  readonly source: string
}

/**
 * The part of a segment's source that the caller heard, when `chars` UTF-16 units of its speakable text were played.
 * A word that was cut is left out (words by Unicode, so in Chinese and Thai too); markup that closes a heard word
 * stays with it. All characters played: the whole source.
 *
 *     heardSource({ text: 'Two things are ready.', source: '**Two** things are `ready`.' }, 5)   // '**Two**'
 */
export function heardSource({ text, source }: SpokenText, chars: number): string {
  if (chars >= text.length) return source
  const heard = lastWholeWord(text, chars)
  if (heard <= 0) return ''
  const { starts, ends } = placesOf(text, source)
  const end = ends[heard - 1] ?? source.length
  const next = starts[heard] ?? source.length
  const unspoken = source.slice(end, next)
  const closing = closingMarks.exec(unspoken)?.[0] ?? ''
  const isClosing =
    closing !== '' &&
    (closing.startsWith(']') ||
      source.slice(0, end).split(closing).length % 2 === 0 ||
      end + closing.length === source.length)
  return source.slice(0, isClosing ? end + closing.length : end).trimEnd()
}

/** Length of the text up to `chars` without a word that was cut and without white space at its end. */
function lastWholeWord(text: string, chars: number): number {
  let end = Math.max(0, Math.floor(chars))
  if (Number.isNaN(end)) return 0
  const around = wordSegmenter.segment(text).containing(end)
  if (around !== undefined && around.index < end) end = around.index
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end -= 1
  return end
}

/** What a segment may have begun in, likeliest first. */
const states: readonly SpeakableState[] = [
  ...[null, '```', '~~~'].map((fence) => ({ fence })),
  { fence: null, isInString: true },
]

/** The text was made from the source in one of a few states; failing all, it is matched up as it goes. */
function placesOf(text: string, source: string): Pick<MappedSpeakable, 'starts' | 'ends'> {
  for (const state of states) {
    const mapped = mapSpeakable(source, state)
    if (mapped.text === text) return mapped
    // Emoji, rules and stray marks that could not be said by themselves stand before the words in the source.
    const before = mapped.text.length - text.length
    if (before > 0 && mapped.text.endsWith(text)) {
      return { starts: mapped.starts.slice(before), ends: mapped.ends.slice(before) }
    }
  }
  const starts: number[] = []
  const ends: number[] = []
  const absent = new Set<string>()
  let from = 0
  for (const unit of text.split('')) {
    const at = absent.has(unit) ? -1 : source.indexOf(unit, from)
    if (at >= 0) from = at + 1
    else absent.add(unit)
    starts.push(at >= 0 ? at : from)
    ends.push(from)
  }
  return { starts, ends }
}
