/** Text that would take over a terminal: as models, servers, files and people write it. */

const range = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, at) => String.fromCodePoint(from + at)).join('')

export const sequences = [
  '\u001B[2J\u001B[1;1H\u001B[31mred\u001B[0m',
  '\u001B]0;title\u0007',
  '\u001B]52;c;cm0gLXJmIH4=\u001B\\',
  '\u001B]8;;http://evil.example\u0007link\u001B]8;;\u0007',
  '\u009B5m\u009D0;title\u009C\u0090q\u009C',
  'over\rwritten\b\b\u007F',
  '\u202Egnp.exe\u202C\u2066isolated\u2069\u200E\u200F\u061C',
  'one\u2028two\u2029three\u0085four\u000Bfive\u000Csix',
]

/** Every character that acts, NUL aside, which no argument and no file name can hold. */
export const everyControl = `${range(1, 31)}${range(0x7f, 0x9f)}\u061C\u200E\u200F${range(0x202a, 0x202e)}${range(0x2066, 0x2069)}\u2028\u2029`

/** For names and messages; half a character at its end. */
export const hostile = `x${sequences.join('')}${everyControl}y\uD83D`
/** For arguments, which are well formed. */
export const hostileWord = hostile.slice(0, -1)
/** For files, whose names are short. */
export const hostileFile = 'x\u001B[2J\u001B]0;title\u0007\u009B5m\u202Egnp\rover\b\u2028\n\u007F'

const allowed = new Set('\t\n')
const acting = new Set([...`\0${everyControl}`].filter((one) => !allowed.has(one)))
const isHalf = (character: string): boolean => character.length === 1 && /[\uD800-\uDFFF]/u.test(character)

/** Every character of a text that may not stand on a terminal. A line that is drawn over (CR, the line, ESC [K) may. */
export function actingIn(text: string): string[] {
  const [last = '', ...drawn] = text.split('\u001B[K').toReversed()
  const theirs = drawn.map(
    (line) => `${line.slice(0, line.lastIndexOf('\r'))}${line.slice(line.lastIndexOf('\r') + 1)}`,
  )
  return [...`${theirs.join('')}${last}`].filter((one) => acting.has(one) || isHalf(one))
}
