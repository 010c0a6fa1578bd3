/** Where things wait, in their order, until they may happen. */
export interface Gate {
  /** Runs now where the gate is open. */
  pass(run: () => void): void
  open(): void
  /** Nothing waits any more. */
  readonly isOpen: boolean
}

export function createGate(): Gate {
  let waiting: (() => void)[] | undefined = []
  return {
    pass(run) {
      if (waiting === undefined) run()
      else waiting.push(run)
    },
    get isOpen() {
      return waiting === undefined
    },
    open() {
      const all = waiting ?? []
      waiting = undefined
      for (const run of all) run()
    },
  }
}
