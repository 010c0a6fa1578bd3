import { isSpoken } from './characters.ts'
import { hasControls, withoutControls } from './control-sequences.ts'
import { Draft } from './draft.ts'
import { codeEndsIn, speakInline } from './speak-inline.ts'

/** What one segment leaves behind for the next. */
export interface SpeakableState {
  /** The marker that will close the code block (three or more of one of two characters), or null outside of code. */
  readonly fence: string | null
  /** Present where the text is inside a control string, of which nothing is said. */
  readonly isInString?: true
}

export const outsideOfCode: SpeakableState = { fence: null }

export interface Speakable {
  /** What a voice should say; '' when nothing of the source can be said. */
  text: string
  state: SpeakableState
}

/** Speakable text together with the place in the source that each of its UTF-16 units came from. */
export interface MappedSpeakable extends Speakable {
  starts: number[]
  ends: number[]
}

const anythingToDo =
  /[*_`~#[\]<>|\\&\n\r\t\v\f\u2028\u2029=]|^\s*(?:[-+•]|\d)|\s\s|\p{Extended_Pictographic}|\p{RI}|\u200d|\ufe0f|\u20e3/u

const fenceLine = /^[ \t]{0,3}(`{3,}(?!`)|~{3,}(?!~))([^`\n]*)$/
const ruleLine = /^[ \t]*(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){2,}|(?:_[ \t]*){3,}|={2,}[ \t]*)$/
const barsAndDashes = /^[ \t:|-]*$/
const lineMarker = /^[ \t]*(?:>[ \t]?)*(?:#{1,6}(?:[ \t]+|$)|[-*+•](?:[ \t]+|$)(?:\[[ xX]\](?:[ \t]+|$))?)?/
const tableLine = /^[ \t]*\|.*\|[ \t]*$/

/**
 * Says what the voice should say of a piece of Markdown: emphasis, headings, list marks, table bars, links' addresses,
 * code fences, emoji and whatever drives a terminal go; the words stay, code and numbers of lists among them.
 *
 *     toSpeakable('**Two** things are `ready` now.').text   // 'Two things are ready now.'
 *
 * A code block may go on in the next segment, so the state that comes out goes in there. Nothing is added that the
 * source does not have, which is what makes heard text traceable to its source. The work is linear in the source.
 */
export function toSpeakable(source: string, state: SpeakableState = outsideOfCode): Speakable {
  if (state.fence === null && state.isInString === undefined && !anythingToDo.test(source) && !hasControls(source)) {
    const text = source.trim()
    return { text: isSpoken(text) ? text : '', state }
  }
  const { text, state: after } = mapSpeakable(source, state)
  return { text, state: after }
}

/** As `toSpeakable`, with the place of every character. */
export function mapSpeakable(source: string, state: SpeakableState = outsideOfCode): MappedSpeakable {
  if (state.isInString === undefined && !hasControls(source)) return mapMarkdown(source, state.fence)
  const sayable = withoutControls(source, state.isInString === true)
  const { text, starts, ends, state: after } = mapMarkdown(sayable.text, state.fence)
  const placeOf = (i: number) => sayable.places[i] ?? source.length
  return {
    text,
    starts: starts.map(placeOf),
    ends: ends.map((end) => placeOf(end - 1) + 1),
    state: sayable.isInString ? { ...after, isInString: true } : after,
  }
}

function mapMarkdown(source: string, openFence: string | null): MappedSpeakable {
  const draft = new Draft()
  let fence = openFence
  let lineStart = 0
  while (lineStart <= source.length) {
    const newline = source.indexOf('\n', lineStart)
    const lineEnd = newline < 0 ? source.length : newline
    const line = source.slice(lineStart, lineEnd).replace(/\r$/, '')
    const marks = fenceLine.exec(line)
    const mark = marks?.[1]
    if (fence === null && mark !== undefined) fence = mark
    else if (fence !== null && mark?.startsWith(fence) && marks?.[2]?.trim() === '') fence = null
    else if (fence !== null) draft.keep(source, lineStart, lineStart + line.length)
    else if (!isRule(line)) speakLine(draft, source, lineStart, lineStart + line.length)
    if (newline >= 0) draft.space(newline)
    lineStart = lineEnd + 1
  }
  return { ...draft.finish(), state: { fence } }
}

/** A line that is drawn and not said, such as the one below the head of a table. */
const isRule = (line: string): boolean =>
  ruleLine.test(line) || (barsAndDashes.test(line) && line.includes('-') && line.lastIndexOf('|') > line.indexOf('-'))

function speakLine(draft: Draft, source: string, start: number, end: number): void {
  const line = source.slice(start, end)
  const isTable = tableLine.test(line)
  const marker = lineMarker.exec(line)?.[0] ?? ''
  const closing = marker.includes('#') ? closingHashes(line) : 0
  const from = start + (isTable ? line.indexOf('|') + 1 : marker.length)
  const to = isTable ? start + line.lastIndexOf('|') : end - closing
  speakInline({ draft, source, codeEnds: codeEndsIn(line, start), isTable }, from, to)
}

/** Length of the hashes that close a heading, with the white space around them. */
function closingHashes(line: string): number {
  const isBlank = (i: number) => line[i] === ' ' || line[i] === '\t'
  let i = line.length
  while (isBlank(i - 1)) i -= 1
  const end = i
  while (line[i - 1] === '#') i -= 1
  if (i === end || !isBlank(i - 1)) return 0
  while (isBlank(i - 1)) i -= 1
  return line.length - i
}
