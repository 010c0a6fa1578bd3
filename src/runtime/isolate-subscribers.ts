import { Observable, Subscriber, type Observer, type Operator } from 'rxjs'
import { isolate } from './collaborators/isolate.ts'
import type { Report } from './collaborators/report.ts'

/**
 * The same stream for people's own subscribers: one that throws or rejects is reported and goes on being served. RxJS
 * would throw its error again in a timer, where nothing can catch it and Node ends the process: one faulty display would
 * end every conversation. What is made of the stream with operators is isolated too.
 */
export function isolateSubscribers<T>(source: Observable<T>, report: Report): Observable<T> {
  return new IsolatedStream(source, undefined, (error) => report('a subscriber failed; the rest goes on', error))
}

class IsolatedStream<T> extends Observable<T> {
  readonly #report: (error: unknown) => void

  constructor(
    source: Observable<unknown>,
    operator: Operator<unknown, T> | undefined,
    report: (error: unknown) => void,
  ) {
    super()
    this.source = source
    if (operator !== undefined) this.operator = operator
    this.#report = report
  }

  /** Called by every operator of RxJS 7. */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    return new IsolatedStream<R>(this, operator, this.#report)
  }

  override subscribe(given?: Partial<Observer<T>> | ((value: T) => void) | null, ...more: unknown[]) {
    // An operator's own subscriber passes errors on, down to the one who subscribed in the end.
    if (given instanceof Subscriber) return super.subscribe(given)
    const [error, complete] = more.map((one) => (typeof one === 'function' ? one : undefined))
    const observer = typeof given === 'function' ? { next: given } : (given ?? {})
    const attempt = isolate((_, thrown) => this.#report(thrown))
    return super.subscribe({
      next: (value) => void attempt('next', () => observer.next?.(value)),
      error: (failure: unknown) => {
        if (observer.error) attempt('error', () => observer.error?.(failure))
        else if (error) attempt('error', () => error(failure))
        else this.#report(failure)
      },
      complete: () => void attempt('complete', () => (complete ? complete() : observer.complete?.())),
    })
  }
}
