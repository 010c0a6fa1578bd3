/** Where things wait, in their order, until they may happen. */
export class Gate {
  #waiting: (() => void)[] | undefined = []

  /** Nothing waits any more. */
  get isOpen(): boolean {
    return this.#waiting === undefined
  }

  /** Runs now where the gate is open. */
  pass(run: () => void): void {
    if (this.#waiting === undefined) run()
    else this.#waiting.push(run)
  }

  open(): void {
    const all = this.#waiting ?? []
    this.#waiting = undefined
    for (const run of all) run()
  }
}
