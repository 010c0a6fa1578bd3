/**
 * Sequences that drive a terminal (ECMA-48) and characters that nobody can say: control characters, what overrides the
 * direction of writing, tags, halves of characters. A model that repeats what it has read may write any of them.
 */

/** Bell, cancel, substitute and the string terminator end a control string; escape begins the next sequence. */
const payload = String.raw`[^\u0007\u0018\u001a\u001b\u009c\n]*`
const stringEnd = String.raw`(?:[\u0007\u0018\u001a\u009c]|\u001b\\)`

const patterns = [
  // CSI: colours, cursor movements
  String.raw`(?:\u001b\[|\u009b)[\u0020-\u003f]*[\u0040-\u007e]?`,
  // OSC, DCS, SOS, PM, APC: titles, links, pictures. One without its end is over with its line.
  String.raw`\u001b[\]PX^_]${payload}${stringEnd}?`,
  // The same in one character. Old texts that were decoded wrongly have them too: without its end it is none.
  String.raw`[\u0090\u0098\u009d-\u009f](?:[^\u0007\u0018\u001a\u001b\u0090\u0098\u009c-\u009f\n]*${stringEnd})?`,
  String.raw`\u001b[\u0020-\u002f]*[\u0030-\u007e]?`,
]
const sequence = new RegExp(patterns.join('|'), 'y')
const openString = new RegExp(String.raw`\u001b[\]PX^_]${payload}$`, 'y')
const restOfString = new RegExp(`${payload}${stringEnd}?`, 'y')
const endsString = new RegExp(`${stringEnd}$`)

// The white space among them is white space all the same.
const unsayable = new RegExp(
  String.raw`[\0-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\p{Bidi_Control}\ufff9-\ufffb\p{Surrogate}\u{e0000}-\u{e007f}]`,
  'u',
)
const nextLine = '\u0085'

/** Whether there is anything in the text that `withoutControls` leaves out or changes. */
export const hasControls = (text: string): boolean => unsayable.test(text) || text.includes(nextLine)

/** End of the control sequence that begins at `i`, `i` where none does. One that is not complete ends with the text. */
export function controlSequenceEnd(text: string, i: number): number {
  const code = text.charCodeAt(i)
  if (code !== 0x1b && (code < 0x90 || code > 0x9f)) return i
  return matchEnd(sequence, text, i)
}

/** A text without what cannot be said, and where each of its code units stood. */
export interface Sayable {
  text: string
  places: number[]
  /** The text is over inside a control string: what follows belongs to it. */
  isInString: boolean
}

/** Leaves control sequences and characters out. `isInString`: the text begins inside a control string. */
export function withoutControls(source: string, isInString: boolean): Sayable {
  const places: number[] = []
  let text = ''
  let i = isInString ? matchEnd(restOfString, source, 0) : 0
  if (isInString && i === source.length && !endsString.test(source)) return { text, places, isInString }
  let isOpen = false
  while (i < source.length) {
    const end = controlSequenceEnd(source, i)
    if (end > i) {
      isOpen = end === source.length && matchEnd(openString, source, i) === end
      i = end
      continue
    }
    const character = String.fromCodePoint(source.codePointAt(i) ?? 0)
    if (!unsayable.test(character)) {
      text += character === nextLine ? ' ' : character
      for (let unit = 0; unit < character.length; unit += 1) places.push(i + unit)
    }
    i += character.length
  }
  return { text, places, isInString: isOpen }
}

function matchEnd(pattern: RegExp, text: string, i: number): number {
  pattern.lastIndex = i
  return pattern.test(text) ? pattern.lastIndex : i
}
