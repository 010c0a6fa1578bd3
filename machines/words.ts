/** Words as a listener compares them: without case, punctuation and white space. Pure. */

const letters = new Intl.Segmenter('und', { granularity: 'word' })

/** Up to white space where there is some. What `Intl.Segmenter` takes grows faster than its text; no word is longer. */
const stretches = /[^]{1,199}(?:\s|$)|[^]{1,200}/gu

/**
 * Unicode allows thirty marks on a letter in a text that is to be normalized (UAX #15, Stream-Safe Text Format): putting
 * more of them in order costs their square.
 */
const marksTooMany = /(?<kept>[\p{M}\uff9e\uff9f]{30})[\p{M}\uff9e\uff9f]+/gu

/** Case, punctuation and white space folded, so that "Turn on the light." equals "turn on the light". */
export function foldWords(text: string): string {
  return text
    .replaceAll(marksTooMany, '$<kept>')
    .normalize('NFKC')
    .toLowerCase()
    .replace(/['’]/gu, '')
    .replace(/[\p{P}\p{S}\s]+/gu, ' ')
    .trim()
}

/** Words by Unicode (UAX #29), so also in languages that write no spaces. */
export function countWords(text: string): number {
  let count = 0
  for (const [stretch] of text.matchAll(stretches)) {
    for (const piece of letters.segment(stretch)) if (piece.isWordLike) count += 1
  }
  return count
}

/** True where the text says nothing but these phrases, however often. */
export function saysOnly(text: string, phrases: readonly string[]): boolean {
  let rest = foldWords(text)
  if (rest === '') return false
  const folded = phrases
    .map(foldWords)
    .filter(Boolean)
    .toSorted((a, b) => b.length - a.length)
  while (rest !== '') {
    const next = folded.find((phrase) => rest.startsWith(phrase) && endsAWord(rest, phrase.length))
    if (next === undefined) return false
    rest = rest.slice(next.length).trimStart()
  }
  return true
}

/** True where one of the names stands in the text as whole words. */
export function namesOneOf(text: string, names: readonly string[]): boolean {
  const folded = foldWords(text)
  return names.map(foldWords).some((name) => {
    for (let at = folded.indexOf(name); name !== '' && at >= 0; at = folded.indexOf(name, at + 1)) {
      const startsAWord = at === 0 || folded[at - 1] === ' ' || isUnspaced(folded[at - 1])
      if (startsAWord && endsAWord(folded, at + name.length)) return true
    }
    return false
  })
}

/** True where `start` is the beginning of `whole`, compared as words. */
export function beginsWith(whole: string, start: string): boolean {
  const folded = foldWords(start)
  return folded !== '' && foldWords(whole).startsWith(folded)
}

function endsAWord(text: string, at: number): boolean {
  return at >= text.length || text[at] === ' ' || isUnspaced(text[at - 1])
}

/** Scripts that write no space between words. */
function isUnspaced(character: string | undefined): boolean {
  return /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}]/u.test(character ?? '')
}
