/** Where things wait, in their order, until they may happen. */
export interface Gate {
  /** Runs now where the gate is open. */
  pass(run: () => void): void
  open(): void
}

export function createGate(): Gate {
  const waiting: (() => void)[] = []
  let isOpen = false
  return {
    pass(run) {
      if (isOpen) run()
      else waiting.push(run)
    },
    open() {
      // What one of them sets going waits behind those that came before it.
      for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) run()
      isOpen = true
    },
  }
}
