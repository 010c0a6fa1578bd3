/** All that ends a line somewhere: CR alone would draw over it, and NEL, LS and PS do what they like. */
const lineBreak = /\r\n|[\n\r\u0085\u2028\u2029]/gu
/** Control characters but tab and line feed, marks that turn the direction of writing, halves of a character. */
const acting = /[^\P{Cc}\t\n]|\p{Bidi_Control}|\p{Cs}/gu
/** What JSON leaves as it is and nobody sees: controls, formatting, separators. */
const unseen = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * Text that does nothing to a terminal. A control character becomes a picture of itself (␛ for escape) or �, a mark that
 * turns the direction of writing is left out, and every line break is one line feed. Tabs and characters of no width
 * stay: scripts and emoji need those. Every character is looked at alone, so a sequence in pieces is no sequence either.
 */
export function plain(text: string): string {
  return text.replaceAll(lineBreak, '\n').replaceAll(acting, pictureOf)
}

/** As `plain`, on one line: a break in a name or a message would forge a line of ours. */
export function plainLine(text: string): string {
  return plain(text).replaceAll(/\n\s*/gu, ' ')
}

/** JSON with all that acts or is not seen written as `\uXXXX`; it parses to the same value. */
export function plainJson(value: unknown, indent?: number): string {
  return (JSON.stringify(value, null, indent) ?? 'null').replaceAll(unseen, escaped)
}

function pictureOf(character: string): string {
  const code = character.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  if (code === 0x7f) return '\u2421'
  return /\p{Bidi_Control}/u.test(character) ? '' : '\uFFFD'
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
    .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
    .join('')
}
