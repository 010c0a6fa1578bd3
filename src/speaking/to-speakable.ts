import { isSpace, isSpoken } from './characters.ts'

/** What one segment leaves behind for the next: the fence of a code block that is still open. */
export interface SpeakableState {
  /** The marker that will close it (three or more of one of two characters), or null outside of code. */
  readonly fence: string | null
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
  /[*_`~#[\]<>|\\&\n\r=]|^\s*(?:[-+•]|\d)|\s\s|\p{Extended_Pictographic}|\p{RI}|\u200d|\ufe0f|\u20e3/u

const fenceLine = /^[ \t]{0,3}(`{3,}|~{3,})([^`\n]*)$/
const ruleLine =
  /^[ \t]*(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){2,}|(?:_[ \t]*){3,}|={2,}[ \t]*|\|?[ \t:|-]*-[ \t:|-]*\|[ \t:|-]*)$/
const lineMarker = /^[ \t]*(?:>[ \t]?)*(?:#{1,6}(?:[ \t]+|$)|[-*+•](?:[ \t]+|$)(?:\[[ xX]\](?:[ \t]+|$))?)?/
const tableLine = /^[ \t]*\|.*\|[ \t]*$/

const emoji =
  /(?:\p{RI}\p{RI}?|(?![©®™‼⁉])\p{Extended_Pictographic})(?:\ufe0f|\p{Emoji_Modifier}|[\u{e0020}-\u{e007f}]|\u200d\p{Extended_Pictographic}?)*|\p{Emoji_Modifier}|\ufe0f?\u20e3|\ufe0f/uy
const link = /!?\[((?:[^[\]\n]|\[[^[\]\n]*\])*)\](?:\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\[[^[\]\n]*\])/y
const autolink = /<((?:https?:\/\/|mailto:)[^<>\s]+)>/y
const htmlTag =
  /<\/?(?:a|b|br|code|div|em|h[1-6]|hr|i|li|ol|p|pre|s|small|span|strong|sub|sup|table|td|th|tr|u|ul)(?:\s[^<>]*)?\/?>/iy
const entity = /&(?:amp|lt|gt|quot|apos|nbsp|#39);/y
const entities: Record<string, string> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&nbsp;': ' ',
  '&apos;': "'",
  '&#39;': "'",
}
const escape = /\\([\\`*_{}[\]()#+\-.!~|<>])/y
const code = /(`+)([^`\n](?:[^\n]*?[^`\n])?)\1(?!`)/y
const letterOrDigit = /[\p{L}\p{N}]/u

const matchAt = (pattern: RegExp, text: string, i: number): RegExpExecArray | null => {
  pattern.lastIndex = i
  return pattern.exec(text)
}

/**
 * Says what the voice should say of a piece of Markdown: emphasis, headings, list marks, table bars, links' addresses,
 * code fences and emoji go; the words stay, code and numbers of lists among them.
 *
 *     toSpeakable('**Two** things are `ready` now.').text   // 'Two things are ready now.'
 *
 * A code block may go on in the next segment, so the state that comes out goes in there. Nothing is added that the
 * source does not have, which is what makes heard text traceable to its source.
 */
export function toSpeakable(source: string, state: SpeakableState = outsideOfCode): Speakable {
  if (state.fence === null && !anythingToDo.test(source)) {
    const text = source.trim()
    return { text: isSpoken(text) ? text : '', state }
  }
  const { text, state: after } = mapSpeakable(source, state)
  return { text, state: after }
}

/** As `toSpeakable`, with the place of every character. */
export function mapSpeakable(source: string, state: SpeakableState = outsideOfCode): MappedSpeakable {
  const draft = new Draft()
  let fence = state.fence
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
    else if (!ruleLine.test(line)) speakLine(draft, source, lineStart, lineStart + line.length)
    if (newline >= 0) draft.space(newline)
    lineStart = lineEnd + 1
  }
  return { ...draft.finish(), state: { fence } }
}

function speakLine(draft: Draft, source: string, start: number, end: number): void {
  const line = source.slice(start, end)
  const marker = lineMarker.exec(line)?.[0].length ?? 0
  const heading = line.slice(0, marker).includes('#')
  const closingHashes = heading ? (/[ \t]+#+[ \t]*$/.exec(line)?.[0].length ?? 0) : 0
  const from = tableLine.test(line) ? start + line.indexOf('|') + 1 : start + marker
  const to = tableLine.test(line) ? start + line.lastIndexOf('|') : end - closingHashes
  speakSpan(draft, source, from, to, tableLine.test(line))
}

function speakSpan(draft: Draft, source: string, from: number, to: number, inTable: boolean): void {
  let i = from
  while (i < to) {
    const skipped = speakPiece(draft, source, i, to, inTable)
    i += skipped
  }
}

/** Says the piece of Markdown at `i` and returns how long it is in the source. */
function speakPiece(draft: Draft, source: string, i: number, to: number, inTable: boolean): number {
  const character = source[i] ?? ''
  const within = (match: RegExpExecArray | null): match is RegExpExecArray =>
    match !== null && i + match[0].length <= to
  switch (character) {
    case '\\': {
      const escaped = matchAt(escape, source, i)
      if (!within(escaped)) break
      draft.keep(source, i + 1, i + 2)
      return 2
    }
    case '`': {
      const span = matchAt(code, source, i)
      const marks = span?.[1]?.length ?? 0
      if (within(span)) draft.keep(source, i + marks, i + span[0].length - marks)
      return within(span) ? span[0].length : 1
    }
    case '!':
    case '[': {
      const linked = matchAt(link, source, i)
      if (!within(linked)) break
      const words = i + linked[0].indexOf('[') + 1
      speakSpan(draft, source, words, words + (linked[1]?.length ?? 0), inTable)
      return linked[0].length
    }
    case '<': {
      const address = matchAt(autolink, source, i)
      if (within(address)) {
        draft.keep(source, i + 1, i + address[0].length - 1)
        return address[0].length
      }
      const tag = matchAt(htmlTag, source, i)
      if (!within(tag)) break
      if (/^<\/?(?:br|p|li|td|th|tr|div)/i.test(tag[0])) draft.space(i)
      return tag[0].length
    }
    case '&': {
      const named = matchAt(entity, source, i)
      if (!within(named)) break
      draft.put(entities[named[0]] ?? '"', i, i + named[0].length)
      return named[0].length
    }
    case '|':
      if (!inTable) break
      draft.cell(i)
      return 1
    case '*':
    case '_':
    case '~': {
      let length = 1
      while (i + length < to && source[i + length] === character) length += 1
      if (isEmphasis(source, i, length)) return length
      draft.keep(source, i, i + length)
      return length
    }
  }
  const picture = matchAt(emoji, source, i)
  if (within(picture)) {
    draft.removed()
    return picture[0].length
  }
  const length = (source.codePointAt(i) ?? 0) > 0xffff ? 2 : 1
  draft.keep(source, i, i + length)
  return length
}

/** Marks with white space on both sides (`2 * 3`) and those within words and numbers (`snake_case`, `2*3`) are said. */
function isEmphasis(source: string, i: number, length: number): boolean {
  const mark = source[i]
  const before = source[i - 1] ?? ' '
  const after = source[i + length] ?? ' '
  if (mark === '~') return length === 2
  if (isSpace(before.charCodeAt(0)) && isSpace(after.charCodeAt(0))) return length > 1 || i === 0
  if (mark === '_') return !(letterOrDigit.test(before) && letterOrDigit.test(after))
  return !(length === 1 && /\p{N}/u.test(before) && /\p{N}/u.test(after))
}

/** Text being put together: runs of white space become one space, none stands at either end. */
class Draft {
  private text = ''
  private readonly starts: number[] = []
  private readonly ends: number[] = []
  private spaceAt = -1
  private afterRemoval = false

  keep(source: string, from: number, to: number): void {
    for (let i = from; i < to; i += 1) {
      if (isSpace(source.charCodeAt(i))) this.space(i)
      else this.put(source[i] ?? '', i, i + 1)
    }
  }

  put(character: string, from: number, to: number): void {
    if (character === ' ') return this.space(from)
    // `Great 👍!` is said `Great!`
    const joins = this.afterRemoval && /[.,!?;:…。，！？、)]/.test(character)
    if (this.spaceAt >= 0 && this.text !== '' && !joins) this.append(' ', this.spaceAt, this.spaceAt + 1)
    this.spaceAt = -1
    this.afterRemoval = false
    this.append(character, from, to)
  }

  space(at: number): void {
    if (this.spaceAt < 0) this.spaceAt = at
  }

  /** The bar between two cells is a pause. */
  cell(at: number): void {
    this.spaceAt = -1
    this.put(',', at, at + 1)
  }

  removed(): void {
    this.afterRemoval = true
  }

  finish(): { text: string; starts: number[]; ends: number[] } {
    return { text: isSpoken(this.text) ? this.text : '', starts: this.starts, ends: this.ends }
  }

  private append(character: string, from: number, to: number): void {
    this.text += character
    this.starts.push(from)
    this.ends.push(to)
  }
}
