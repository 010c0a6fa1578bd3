/** The newest entries, within two limits: how many, and how many characters they weigh. */
export interface BoundedLog<Entry> {
  add(entry: Entry, chars: number): void
  all(): Entry[]
  newest(count: number): Entry[]
  /** How many had to go. */
  readonly forgotten: number
}

export function createBoundedLog<Entry>({
  entries: most,
  chars: mostChars,
}: {
  entries: number
  chars: number
}): BoundedLog<Entry> {
  let kept: { entry: Entry; chars: number }[] = []
  // Entries leave at the front one by one; the array is cut only now and then, so that this costs nothing.
  let first = 0
  let weight = 0
  let forgotten = 0
  return {
    get forgotten() {
      return forgotten
    },
    add(entry, chars) {
      kept.push({ entry, chars })
      weight += chars
      while (kept.length - first > most || (weight > mostChars && kept.length - first > 1)) {
        weight -= kept[first]?.chars ?? 0
        first += 1
        forgotten += 1
      }
      if (first > most) {
        kept = kept.slice(first)
        first = 0
      }
    },
    all: () => kept.slice(first).map(({ entry }) => entry),
    newest: (count) => kept.slice(Math.max(first, kept.length - count)).map(({ entry }) => entry),
  }
}
