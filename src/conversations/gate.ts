/** Where things wait, in their order, until they may happen. */
export class Gate {
  readonly #waiting: (() => void)[] = []
  #isOpen = false

  /** Nothing waits any more. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Runs now where the gate is open. */
  pass(run: () => void): void {
    if (this.#isOpen) run()
    else this.#waiting.push(run)
  }

  open(): void {
    // What one of them sets going waits behind those that came before it.
    for (let run = this.#waiting.shift(); run !== undefined; run = this.#waiting.shift()) run()
    this.#isOpen = true
  }
}
