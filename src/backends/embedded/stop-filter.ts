/**
 * Cuts text at the first of the stop texts, however it is sliced. What may be the beginning of one is held back until
 * it is clear.
 */
export class StopFilter {
  readonly #stops: readonly string[]
  #held = ''
  #stopped = false

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '')
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** What is safe to pass on. '' from the stop on. */
  push(text: string): string {
    if (this.#stopped) return ''
    const all = this.#held + text
    const cut = firstStop(all, this.#stops)
    if (cut !== undefined) {
      this.#stopped = true
      this.#held = ''
      return all.slice(0, cut)
    }
    const keep = Math.max(0, ...this.#stops.map((stop) => begun(all, stop)))
    this.#held = keep === 0 ? '' : all.slice(-keep)
    return keep === 0 ? all : all.slice(0, -keep)
  }

  /** The text is over: what was held back was no stop. */
  end(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }
}

/** Where the stop begins that is complete first: the one that text coming letter by letter would meet. */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  let first: { at: number; end: number } | undefined
  for (const stop of stops) {
    const at = text.indexOf(stop)
    const end = at + stop.length
    if (at < 0 || (first !== undefined && (end > first.end || (end === first.end && at > first.at)))) continue
    first = { at, end }
  }
  return first?.at
}

/** Length of the longest end of `text` that begins `stop`. */
function begun(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length--) {
    if (stop.startsWith(text.slice(-length))) return length
  }
  return 0
}
