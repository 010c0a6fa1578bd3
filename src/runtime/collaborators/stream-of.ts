import { Observable, Subscriber, type TeardownLogic } from 'rxjs'
import { hasMethods } from './check.ts'
import { disown, isThenable } from './thenable.ts'

/** What should have been a stream is none. */
export class NoStream extends Error {
  constructor() {
    super('it returned something that is no Observable')
  }
}

/** Observables of this RxJS, of another copy of it, and all that can be subscribed to in the same way. */
export function isStream(given: unknown): given is { subscribe(observer: Subscriber<unknown>): unknown } {
  return hasMethods(given, 'subscribe')
}

/**
 * The stream that a collaborator returns when it is asked, or promises. What it throws, whenever it does, is an error of
 * the stream; what its teardown throws, too late for that, goes to `failed`.
 */
export function streamOf(ask: () => unknown, failed: (thrown: unknown) => void): Observable<unknown> {
  return new Observable((subscriber) => {
    const follow = (given: unknown) => {
      if (subscriber.closed) return
      if (!isStream(given)) throw new NoStream()
      const follower = new Follower(subscriber, failed)
      follower.follow(given.subscribe(follower))
    }
    try {
      const given = ask()
      if (!isThenable(given)) follow(given)
      else
        Promise.resolve(given)
          .then(follow)
          .catch((thrown: unknown) => subscriber.error(thrown))
    } catch (thrown) {
      subscriber.error(thrown)
    }
  })
}

/**
 * Looks at what the function within an Observable gives back: RxJS ignores promises there, so `new Observable(async …)`
 * and an async teardown would end the process when they reject. Behind an operator nobody can look.
 */
class Follower extends Subscriber<unknown> {
  readonly #failed: (thrown: unknown) => void

  constructor(destination: Subscriber<unknown>, failed: (thrown: unknown) => void) {
    super(destination)
    this.#failed = failed
  }

  /** Takes what `subscribe` returned: this very subscriber, another subscription, or a function that ends it. */
  follow(returned: unknown): void {
    if (isTeardown(returned)) this.add(returned)
    else if (isThenable(returned)) this.#await(returned)
  }

  /** A promise that was emitted, where its value was meant, is refused like anything else that is odd. */
  override next(value?: unknown): void {
    disown(value)
    super.next(value)
  }

  override add(teardown: TeardownLogic): void {
    const given: unknown = teardown
    if (isThenable(given)) this.#await(given)
    else if (typeof teardown === 'function') super.add(() => this.#run(teardown))
    else super.add(teardown)
  }

  override unsubscribe(): void {
    try {
      super.unsubscribe()
    } catch (thrown) {
      this.#failed(thrown)
    }
  }

  #run(teardown: () => unknown): void {
    const given = teardown()
    if (isThenable(given)) Promise.resolve(given).catch(this.#failed)
  }

  #await(promise: PromiseLike<unknown>): void {
    Promise.resolve(promise).then(
      (given) => this.follow(given),
      (thrown: unknown) => {
        if (this.closed) this.#failed(thrown)
        else this.error(thrown)
      },
    )
  }
}

function isTeardown(given: unknown): given is Exclude<TeardownLogic, void> {
  return typeof given === 'function' || hasMethods(given, 'unsubscribe')
}
