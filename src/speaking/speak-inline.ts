import { isSpace } from './characters.ts'
import type { Draft } from './draft.ts'

const emoji =
  /(?:\p{RI}\p{RI}?|(?![©®™‼⁉])\p{Extended_Pictographic})(?:\ufe0f|\p{Emoji_Modifier}|[\u{e0020}-\u{e007f}]|\u200d\p{Extended_Pictographic}?)*|\p{Emoji_Modifier}|\ufe0f?\u20e3|\ufe0f/uy
/** `‼`: nothing below it is one by itself. */
const firstEmoji = 0x203c
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
const ticks = /`+/g
const letterOrDigit = /[\p{L}\p{N}]/u

const matchAt = (pattern: RegExp, text: string, i: number): RegExpExecArray | null => {
  pattern.lastIndex = i
  return pattern.exec(text)
}

/** Where the code ends that each run of backticks opens: at the next run of the same length. */
export function codeEndsIn(line: string, start: number): ReadonlyMap<number, number> {
  const ends = new Map<number, number>()
  if (!line.includes('`')) return ends
  const next = new Map<number, number>()
  for (const { index, 0: run } of [...line.matchAll(ticks)].toReversed()) {
    const end = next.get(run.length)
    if (end !== undefined) ends.set(start + index, end)
    next.set(run.length, start + index)
  }
  return ends
}

/** A line that is being said. */
export interface Line {
  draft: Draft
  source: string
  codeEnds: ReadonlyMap<number, number>
  isTable: boolean
}

/** Says a stretch of a line: without marks of emphasis, code, links, tags and emoji. */
export function speakInline(line: Line, from: number, to: number): void {
  let i = from
  while (i < to) i += speakPiece(line, i, to)
}

/** Says the piece of Markdown at `i` and returns how long it is in the source. */
function speakPiece(line: Line, i: number, to: number): number {
  const { draft, source } = line
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
      const marks = runLength(source, i, to)
      const end = line.codeEnds.get(i) ?? to
      if (end >= to) return marks
      draft.keep(source, i + marks, end)
      return end + marks - i
    }
    case '!':
    case '[': {
      const linked = matchAt(link, source, i)
      if (!within(linked)) break
      const words = i + linked[0].indexOf('[') + 1
      speakInline(line, words, words + (linked[1]?.length ?? 0))
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
      if (!line.isTable) break
      draft.cell(i)
      return 1
    case '*':
    case '_':
    case '~': {
      const length = runLength(source, i, to)
      if (!isEmphasis(source, i, length)) draft.keep(source, i, i + length)
      return length
    }
  }
  const picture = source.charCodeAt(i) < firstEmoji ? null : matchAt(emoji, source, i)
  if (within(picture)) {
    draft.removed()
    return picture[0].length
  }
  const length = (source.codePointAt(i) ?? 0) > 0xffff ? 2 : 1
  draft.keep(source, i, i + length)
  return length
}

/** How often the character at `i` stands there in a row. */
function runLength(source: string, i: number, to: number): number {
  let length = 1
  while (i + length < to && source[i + length] === source[i]) length += 1
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
