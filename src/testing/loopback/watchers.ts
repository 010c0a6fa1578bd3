/** Things that happen once for each index, awaited before or after they have. */
export function watchers() {
  const happened = new Set<number>()
  const waiting = new Map<number, (() => void)[]>()
  return {
    tell(index: number): void {
      happened.add(index)
      for (const resolve of waiting.get(index) ?? []) resolve()
      waiting.delete(index)
    },
    told: (index: number): Promise<void> =>
      new Promise((resolve) => {
        if (happened.has(index)) resolve()
        else waiting.set(index, [...(waiting.get(index) ?? []), resolve])
      }),
  }
}
