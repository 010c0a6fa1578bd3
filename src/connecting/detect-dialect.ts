import { createActor, fromPromise, type InspectionEvent } from 'xstate'
import {
  detectionMachine,
  type DetectedDialect,
  type DetectionOutput,
  type ProbeInput,
  type ProbeVerdict,
} from '../../machines/detection.ts'
import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { createProbeRun, plainFailure } from '../backends/probe.ts'
import type { ServerOptions } from '../backends/server-options.ts'
import { withDeadline } from '../runtime/deadline.ts'

export interface DetectDialectOptions extends ServerOptions {
  clock: Clock
  /** Longest one look may take. */
  lookMs: Milliseconds
  /** Dialects whose path turned out not to be there. */
  except: readonly DetectedDialect[]
  inspect?: ((event: InspectionEvent) => void) | undefined
}

export interface Detected {
  dialect: DetectedDialect
  version?: string
}

/** Runs the detection chart with real probes. Rejects with the LlmError that says why no dialect was found. */
export function detectDialect(options: DetectDialectOptions, signal: AbortSignal): Promise<Detected> {
  const { clock, lookMs, except, baseUrl, inspect } = options
  const { origin } = new URL(baseUrl)
  const run = createProbeRun(options)
  let lateError: LlmError | undefined
  const late = () => (lateError = silence(origin, lookMs))
  const probe = fromPromise<ProbeVerdict, ProbeInput>(async ({ input, signal: stopped }) => {
    try {
      return await withDeadline({ clock, ms: lookMs, signal: stopped, late }, (within) =>
        run.probe(input.dialect, within),
      )
    } catch (error) {
      if (!(error instanceof LlmError)) throw error
      return { verdict: 'unreachable', failure: plainFailure(error) }
    }
  })
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const actor = createActor(detectionMachine.provide({ actors: { probe } }), {
      input: { except },
      id: `detection ${origin}`,
      ...(inspect === undefined ? {} : { inspect }),
    })
    const leave = () => {
      reject(signal.reason)
      actor.stop()
    }
    signal.addEventListener('abort', leave, { once: true })
    actor.subscribe({
      complete() {
        signal.removeEventListener('abort', leave)
        const { output } = actor.getSnapshot()
        if (output === undefined) return
        const { dialect, version } = output
        if (dialect !== undefined) resolve(version === undefined ? { dialect } : { dialect, version })
        else reject(failureOf(origin, output, lateError ?? run.lastError()))
      },
      error: reject,
    })
    actor.start()
  })
}

function failureOf(
  origin: string,
  { outcome, failure, notes }: DetectionOutput,
  error: LlmError | undefined,
): LlmError {
  if (outcome === 'unrecognized') {
    const seen = notes.length === 0 ? '' : ` (${notes.join('; ')})`
    const message = `${origin} speaks neither Ollama's API nor OpenAI's${seen}: check baseUrl, or set apiType.`
    return new LlmError('protocol', { fault: 'unrecognized', message })
  }
  if (error !== undefined) return error
  return new LlmError(failure?.code ?? 'internal', {
    message: failure?.message ?? 'The detection ended for no reason.',
  })
}

/** A server that takes a connection, or not even that, and says nothing. */
export function silence(origin: string, ms: Milliseconds): LlmError {
  const message = `${origin} did not answer within ${ms} ms: is it running, and is baseUrl right?`
  return new LlmError('timeout', { fault: 'connect-timeout', origin, message })
}
