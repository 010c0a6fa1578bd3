/** Leaves out of a continuation what was said before it. */
export interface NoRepeat {
  push(text: string): string
  end(): string
}

/**
 * A model that is asked to go on often starts its sentence, or all of it, again. As long as what it writes may still be
 * the end of `before`, it is held back; what turns out to repeat it is dropped.
 */
export function createNoRepeat(before: string): NoRepeat {
  const search = createSearch(before)
  let held = ''
  /** White space before the first word. */
  let blanks = 0
  let done = before === ''

  return {
    push(text) {
      if (done) return text
      held += text
      for (const unit of text.split('')) {
        if (search.length === 0 && isBlank(unit)) blanks += 1
        else if (!search.take(unit)) {
          const rest = search.repeated === 0 ? held : held.slice(blanks + search.repeated)
          done = true
          held = ''
          return rest
        }
      }
      return ''
    },
    end() {
      const rest = held
      done = true
      held = ''
      // Still held at the end: either nothing but a repetition, or a few words that only look like one.
      return search.isEnd(rest.trim()) ? '' : rest
    },
  }
}

/**
 * Looks a text up in `before` while it is written, from the places where a repetition may begin: at the top, and at each
 * word but the last, since one word alone may well be said again. The algorithm of Knuth, Morris and Pratt with a
 * pattern that grows: linear in both texts together, also for `a a a a`.
 */
function createSearch(before: string) {
  const pattern: string[] = []
  /** borders[n]: how long the longest end of the first n units is that they also begin with. */
  const borders = [0, 0]
  const lastBlank = before.search(/\s\S*$/u)
  let at = 0
  let matched = 0
  let repeated = 0

  const mayBegin = (place: number): boolean =>
    place < lastBlank && !isBlank(before.charAt(place)) && (place === 0 || isBlank(before.charAt(place - 1)))

  const append = (unit: string): void => {
    let border = borders[pattern.length] ?? 0
    while (border > 0 && pattern[border] !== unit) border = borders[border] ?? 0
    if (pattern.length > 0) borders.push(pattern[border] === unit ? border + 1 : 0)
    pattern.push(unit)
  }

  return {
    get length() {
      return pattern.length
    },
    /** How much of the text repeats the end of `before`. Known once `take` was false. */
    get repeated() {
      return repeated
    },
    /** The next unit of the text. False: it cannot become the end of `before` any more. */
    take(unit: string): boolean {
      append(unit)
      while (at < before.length) {
        if (matched === pattern.length) {
          if (mayBegin(at - matched)) return true
          matched = borders[matched] ?? 0
        } else if (before[at] === pattern[matched]) {
          at += 1
          matched += 1
        } else if (matched > 0) matched = borders[matched] ?? 0
        else at += 1
      }
      while (matched > 0 && !mayBegin(at - matched)) matched = borders[matched] ?? 0
      repeated = matched
      return false
    },
    isEnd: (text: string): boolean => text !== '' && before.endsWith(text) && mayBegin(before.length - text.length),
  }
}

const isBlank = (unit: string): boolean => unit.trim() === ''
