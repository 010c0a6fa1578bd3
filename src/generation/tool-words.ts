/* What functions gave and why they failed, in words for the model. */

/** Longer results would push the conversation itself out of a model's window. */
const longestResult = 8_000

/** In no case a failure: what the function did is done. */
export function wordsOf(result: unknown): string {
  try {
    return bounded(written(result))
  } catch {
    // A circle, a BigInt, a toJSON that throws.
    return 'Done, but its result could not be written as JSON.'
  }
}

/** Anything can be thrown, also what breaks when it is looked at. */
export function reasonOf(error: unknown): string {
  const none = 'no reason given'
  try {
    const said = typeof error === 'object' && error !== null && 'message' in error ? error.message : error
    return (typeof said === 'string' && oneLine(said)) || none
  } catch {
    // A getter or a proxy that throws: there is no reason to be had.
    return none
  }
}

export function oneLine(text: string): string {
  return first(300, text.replaceAll(/\s+/gu, ' ').trim())
}

function written(result: unknown): string {
  if (typeof result === 'string') return result
  // Of undefined, a function or a symbol there is no JSON, whatever the type of stringify says.
  const json: string | undefined = JSON.stringify(result)
  return json ?? 'Done.'
}

function bounded(text: string): string {
  if (text.length <= longestResult) return text
  return `${first(longestResult, text)}… (cut: ${text.length} characters in all)`
}

/** Never half of a character: servers refuse it, or make something else of it. */
export function first(length: number, text: string): string {
  return text.slice(0, length).replace(/[\uD800-\uDBFF]$/u, '')
}
