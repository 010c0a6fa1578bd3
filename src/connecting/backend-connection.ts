import type { InspectionEvent } from 'xstate'
import type { DetectedDialect } from '../../machines/detection.ts'
import type { Clock, Failure, Milliseconds } from '../../machines/vocabulary.ts'
import { parseAddress } from '../backends/address.ts'
import { LlmError, type Backend, type BackendName, type ModelInfo } from '../backends/contract.ts'
import { openBackend } from '../backends/open-backend.ts'
import { plainFailure } from '../backends/probe.ts'
import { readVersion } from '../backends/read-version.ts'
import type { Settings } from '../config/config.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { detectDialect, silence, type Detected } from './detect-dialect.ts'

/** What is known of the backend after a first look. */
export interface BackendInfo {
  /** False: nothing answers yet; the next use looks again. */
  reachable: boolean
  /** The dialect it speaks. */
  backend?: BackendName
  origin: string
  version?: string
  models?: ModelInfo[]
  /** Why it is of no use as it is. */
  error?: Failure
}

/** One cheap look at the backend. */
export interface ConnectionReport {
  reachable: boolean
  origin: string
  /** The dialect it speaks; absent where none was recognized. */
  apiType?: BackendName
  version?: string
  /** How long the look took. */
  ms?: Milliseconds
  error?: Failure
}

/** A backend to be reached: looked for when it is used, and remembered once it was found. */
export interface BackendConnection {
  /** The backend; which API it speaks is found out once, for all who ask. Rejects with LlmError, or the signal's reason. */
  connect(signal: AbortSignal): Promise<Backend>
  /** Its path was not there after all: the next `connect` looks again, for another dialect first. */
  forget(): void
  /** What there is. Rejects for `config` alone; a server that is not there yet is `reachable: false`. */
  info(signal: AbortSignal): Promise<BackendInfo>
  /** Never rejects but with the signal's reason. */
  check(signal?: AbortSignal): Promise<ConnectionReport>
}

export interface BackendConnectionOptions {
  baseUrl: string
  apiKey?: string
  apiType: Settings['apiType']
  limits: Pick<Settings['limits'], 'lineBytes'>
  clock: Clock
  timeouts: Pick<Settings['timeouts'], 'connectMs'>
  /** Watches the detection. */
  inspect?: ((event: InspectionEvent) => void) | undefined
}

type Known = Detected & { backend: Backend }

/** Throws `config` for an address that can never work. Nothing is sent before the first use. */
export function createBackendConnection(options: BackendConnectionOptions): BackendConnection {
  const { baseUrl, apiKey, apiType, limits, clock, timeouts, inspect } = options
  const { origin } = parseAddress(baseUrl)
  const server = { baseUrl, lineBytes: limits.lineBytes, ...(apiKey === undefined ? {} : { apiKey }) }
  const ms = timeouts.connectMs
  const late = () => silence(origin, ms)
  let known: Known | undefined
  let looking: SharedLook<Known> | undefined
  let except: DetectedDialect[] = []

  async function look(signal: AbortSignal): Promise<Known> {
    if (apiType === 'embedded') {
      const message = 'apiType embedded has no address: leave baseUrl out, or pass the engine as `backend`.'
      throw new LlmError('config', { message })
    }
    if (apiType !== 'auto') return { dialect: apiType, backend: openBackend(apiType, server) }
    const excepted = except
    // whatever comes of this look, the one after it is free again to find what it finds
    except = []
    const detected = await detectDialect({ ...server, clock, lookMs: ms, except: excepted, inspect }, signal)
    return { ...detected, backend: openBackend(detected.dialect, server) }
  }

  async function find(signal: AbortSignal): Promise<Known> {
    signal.throwIfAborted()
    if (known !== undefined) return known
    if (looking !== undefined) return looking.join(signal)
    const mine = sharedLook(look, {
      found: (found) => (known = found),
      over: () => {
        if (looking === mine) looking = undefined
      },
    })
    looking = mine
    return mine.join(signal)
  }

  /** The failure as data; anything but an LlmError is rethrown. */
  function told(error: unknown, signal: AbortSignal): { reachable: boolean; origin: string; error: Failure } {
    signal.throwIfAborted()
    if (!(error instanceof LlmError)) throw error
    return { reachable: answers(error), origin, error: plainFailure(error) }
  }

  return {
    connect: async (signal) => (await find(signal)).backend,
    forget() {
      // a dialect that its probe finds and its path denies would be found again for ever
      if (known !== undefined) except = [known.dialect]
      known = undefined
    },
    async info(signal) {
      try {
        const { backend, version } = await find(signal)
        const models = await withDeadline({ clock, ms, signal, late }, (within) => backend.models(within))
        return { reachable: true, backend: backend.name, origin, models, ...(version === undefined ? {} : { version }) }
      } catch (error) {
        if (error instanceof LlmError && error.code === 'config') throw error
        return told(error, signal)
      }
    },
    async check(signal = new AbortController().signal) {
      const since = clock.now()
      const took = () => ({ ms: clock.now() - since })
      try {
        const { dialect } = await find(signal)
        const version = await withDeadline({ clock, ms, signal, late }, (within) =>
          readVersion(dialect, server, within),
        )
        const report = { reachable: true, origin, apiType: dialect, ...took() }
        return version === undefined ? report : { ...report, version }
      } catch (error) {
        const failed = told(error, signal)
        return { ...failed, ...(known === undefined ? {} : { apiType: known.dialect }), ...took() }
      }
    },
  }
}

/** Something answered, though not as it should have. */
function answers({ code, fault }: LlmError): boolean {
  return (
    code === 'auth' || code === 'http' || code === 'overloaded' || code === 'model-missing' || fault === 'unrecognized'
  )
}

interface SharedLook<T> {
  join(signal: AbortSignal): Promise<T>
}

/** One look for all who wait; it is given up when the last of them has left. */
function sharedLook<T>(
  look: (signal: AbortSignal) => Promise<T>,
  { found, over }: { found: (value: T) => void; over: () => void },
): SharedLook<T> {
  const controller = new AbortController()
  let waiting = 0
  const result = Promise.resolve(controller.signal)
    .then(look)
    .then(
      (value) => {
        over()
        found(value)
        return value
      },
      (error: unknown) => {
        over()
        throw error
      },
    )
  return {
    join: (signal) =>
      new Promise((resolve, reject) => {
        waiting += 1
        const leave = () => {
          reject(signal.reason)
          waiting -= 1
          if (waiting > 0) return
          over()
          controller.abort(signal.reason)
        }
        signal.addEventListener('abort', leave, { once: true })
        const done = () => signal.removeEventListener('abort', leave)
        result.then(resolve, reject).finally(done)
      }),
  }
}
