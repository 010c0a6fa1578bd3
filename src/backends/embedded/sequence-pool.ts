import { chooseSequence } from './choose-sequence.ts'
import type { LlamaSequence, Token } from './llama-api.ts'

interface Place {
  sequence: LlamaSequence
  busy: boolean
  usedAt: number
}

export interface Lease {
  readonly sequence: LlamaSequence
  release(): void
}

interface Waiter {
  prompt: readonly Token[]
  grant(lease: Lease): void
}

/** A bounded number of sequences shared by all conversations; what finds none free waits in line. */
export class SequencePool {
  readonly #places: Place[]
  readonly #waiters: Waiter[] = []
  #uses = 0

  constructor(sequences: readonly LlamaSequence[]) {
    this.#places = sequences.map((sequence) => ({ sequence, busy: false, usedAt: 0 }))
  }

  /** A sequence at once, or undefined. For work that nobody waits for. */
  tryAcquire(prompt: readonly Token[]): Lease | undefined {
    return this.#waiters.length > 0 ? undefined : this.#take(prompt)
  }

  /** The best sequence for the prompt, as soon as one is free. Rejects with the signal's reason; then nothing is held. */
  acquire(prompt: readonly Token[], signal: AbortSignal): Promise<Lease> {
    const lease = this.tryAcquire(prompt)
    if (lease !== undefined) return Promise.resolve(lease)
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        prompt,
        grant: (granted) => {
          signal.removeEventListener('abort', leave)
          resolve(granted)
        },
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiters.push(waiter)
    })
  }

  #take(prompt: readonly Token[]): Lease | undefined {
    const states = this.#places.map(({ sequence, busy, usedAt }) => ({
      tokens: busy ? [] : sequence.contextTokens,
      busy,
      usedAt,
    }))
    const index = chooseSequence(states, prompt)
    const place = index === undefined ? undefined : this.#places[index]
    if (place === undefined) return undefined
    place.busy = true
    place.usedAt = ++this.#uses
    const release = () => {
      if (!place.busy) return
      place.busy = false
      const next = this.#waiters[0]
      const lease = next && this.#take(next.prompt)
      if (next === undefined || lease === undefined) return
      this.#waiters.shift()
      next.grant(lease)
    }
    return { sequence: place.sequence, release }
  }
}
