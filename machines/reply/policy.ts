import type { Failure, Milliseconds } from '../vocabulary.ts'

/** Origin of what fails before any backend is known. */
export const home = 'home'

/** A model on a backend that may answer. */
export interface Candidate {
  model: string
  /** Which of the configured backends: 0 is the service's own, n the n-th fallback that names another. */
  target: number
  /** Failure domain: what is true of the origin is true of every model on it. */
  origin: string
  /** Whether the server has it in memory; absent where it does not tell. */
  loaded?: boolean
}

/** A failure with what policy needs to know of it. */
export interface AttemptFailure {
  error: Failure
  /** Finer than the code, see `LlmError.fault`. */
  fault?: string
  origin: string
}

/** What a failure before the commit point allows. */
export interface Route {
  /** One quick retry of the same model. */
  retry?: true
  /** The server asked for patience: wait for it, once. */
  wait?: true
  /** The same model once more, because the request will be another one (shorter prompt, newly found path). */
  amend?: true
  /** Where to go on: another model, another origin, or nowhere. */
  next: 'model' | 'origin' | 'nowhere'
}

const byFault: Readonly<Record<string, Route>> = {
  refused: { retry: true, next: 'origin' },
  'reset-before-headers': { retry: true, next: 'origin' },
  'closed-before-headers': { retry: true, next: 'origin' },
  'connect-timeout': { next: 'origin' },
  'queue-timeout': { next: 'origin' },
  'name-not-found': { next: 'nowhere' },
  tls: { next: 'nowhere' },
  'not-http': { next: 'nowhere' },
  'headers-too-large': { next: 'nowhere' },
  redirect: { next: 'nowhere' },
  'content-type': { next: 'nowhere' },
  // Looked for again once; what is not there then is there for none of the server's models.
  'path-missing': { amend: true, next: 'origin' },
  capability: { next: 'model' },
  unauthorized: { next: 'origin' },
  busy: { next: 'origin' },
  'queue-full': { next: 'origin' },
  'breaker-open': { next: 'model' },
  preempted: { next: 'nowhere' },
  'rate-limited': { wait: true, next: 'model' },
  // A stream that breaks after its headers is the model's fault: the same request would likely break again.
  cut: { next: 'model' },
  'no-end': { next: 'model' },
  'bad-record': { next: 'model' },
  'error-record': { next: 'model' },
  'line-too-long': { next: 'model' },
  // Where functions are offered this is a round of calls and no failure; a model that calls unasked is left.
  'bad-call': { next: 'model' },
}

/** Tells what to do about a failure: by its fault where it has one, else by status and code. */
export function routeOf({ error, fault }: AttemptFailure): Route {
  const known = fault === undefined ? undefined : byFault[fault]
  if (known) return known
  if (error.status === 408 || error.status === 429) return { wait: true, next: 'model' }
  if (error.status === 503) return { next: 'origin' }
  switch (error.code) {
    case 'connection':
      return { retry: true, next: 'origin' }
    case 'http':
      return error.status !== undefined && error.status >= 500 ? { retry: true, next: 'model' } : { next: 'model' }
    case 'auth':
    case 'overloaded':
      return { next: 'origin' }
    case 'context-overflow':
      return { amend: true, next: 'nowhere' }
    case 'timeout':
    case 'protocol':
    case 'model-missing':
    case 'empty-reply':
      return { next: 'model' }
    case 'tool':
    case 'content-filter':
    case 'sink':
    case 'sink-stalled':
    case 'speech-source':
    case 'bad-input':
    case 'store':
    case 'config':
    case 'internal':
      return { next: 'nowhere' }
  }
}

/** Those that are still worth asking after `failed` has failed so. */
export function candidatesAfter(
  failure: AttemptFailure,
  failed: Candidate | null,
  remaining: readonly Candidate[],
): Candidate[] {
  const { next } = routeOf(failure)
  if (next === 'nowhere') return []
  if (next === 'origin') return remaining.filter(({ origin }) => origin !== failure.origin)
  // A busy model in memory is not left for one that the same server must load first: that takes longer still.
  const busy = failure.error.code === 'timeout' && failed?.loaded === true
  return remaining.filter(({ origin, loaded }) => !(busy && origin === failure.origin && loaded === false))
}

/** Whether the same model is worth another try, and the caller can wait for it. */
export function mayRetry(
  { failure, retries }: { failure: AttemptFailure | null; retries: number },
  { attempts, longestWaitMs }: { attempts: number; longestWaitMs: Milliseconds },
): boolean {
  if (failure === null) return false
  const { retry, wait } = routeOf(failure)
  if (wait) return retries === 0 && (failure.error.retryAfterMs ?? 0) <= longestWaitMs
  return retry === true && retries < attempts
}

/** How long the server asked to be left in peace, where that is why the request is made again. */
export function askedPatienceMs(failure: AttemptFailure | null): Milliseconds | undefined {
  return failure && routeOf(failure).wait ? failure.error.retryAfterMs : undefined
}

/** What may take too long, and the setting that says how long that is. */
export type Wait = 'connect-timeout' | 'queue-timeout' | 'first-token-timeout' | 'total-timeout'

/** The failure that a time-out is. */
export function timeoutOf(wait: Wait, model = 'the model'): Failure {
  switch (wait) {
    case 'connect-timeout':
      return {
        code: 'connection',
        message: 'the server could not be reached in time; check that it runs, or raise timeouts.connectMs',
        retryable: true,
      }
    case 'queue-timeout':
      return {
        code: 'overloaded',
        message: 'no slot came free in time; raise concurrency.slots or timeouts.queueMs, or ask less at once',
        retryable: true,
      }
    case 'first-token-timeout':
      return {
        code: 'timeout',
        message: `${model} sent no first token in time; use a smaller model or raise timeouts.firstTokenMs`,
        retryable: true,
      }
    case 'total-timeout':
      return {
        code: 'timeout',
        message: `${model} did not finish its reply in time; lower context.replyTokens or raise timeouts.totalMs`,
        retryable: true,
      }
  }
}
