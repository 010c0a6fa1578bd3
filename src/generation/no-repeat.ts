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
  // Where a repetition may start: at the top, and at each word. One word alone may well be said again.
  const ends = [...before.matchAll(/\S+/gu)].map(({ index }) => before.slice(index)).filter((end) => /\s/u.test(end))
  let held = ''
  let done = before === ''

  return {
    push(text) {
      if (done) return text
      held += text
      const said = held.trimStart()
      if (said === '' || ends.some((end) => end.length > said.length && end.startsWith(said))) return ''
      const whole = ends.find((end) => said.startsWith(end))
      done = true
      const rest = whole === undefined ? held : said.slice(whole.length)
      held = ''
      return rest
    },
    end() {
      const rest = held
      done = true
      held = ''
      // Still held at the end: either nothing but a repetition, or a few words that only look like one.
      return ends.includes(rest.trim()) ? '' : rest
    },
  }
}
