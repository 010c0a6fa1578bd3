import type { Clock, Milliseconds } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { adviceFor } from './advice.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { silence } from '../connecting/detect-dialect.ts'

export type DiagnosisStepName =
  | 'dns'
  | 'tcp'
  | 'http'
  | 'api'
  | 'version'
  | 'models'
  | 'model'
  | 'loaded'
  | 'context'
  | 'parallelism'
  | 'first-token'

export interface DiagnosisStep {
  name: DiagnosisStepName
  /** False: colloquy cannot work so. */
  ok: boolean
  /** What was found, one line. */
  detail: string
  /** What to do; also said where it works but could work better. */
  next?: string
  /** How long the step took. */
  ms?: Milliseconds
}

/** A step that went wrong: the diagnosis ends with it. */
export class StepFailed extends Error {
  readonly step: DiagnosisStep

  constructor(step: DiagnosisStep) {
    super(step.detail)
    this.step = step
  }
}

/** Tells for each step that worked what was found. */
export interface Notebook {
  note(name: DiagnosisStepName, detail: string, more?: { next?: string; ms?: Milliseconds }): void
  /** Runs a step under a time limit; an LlmError becomes the failed step, with what to do about it. */
  attempt<T>(name: DiagnosisStepName, ms: Milliseconds, run: (signal: AbortSignal) => Promise<T>): Promise<T>
}

interface NotebookOptions {
  steps: DiagnosisStep[]
  clock: Clock
  signal: AbortSignal
  origin(): string
}

export function createNotebook({ steps, clock, signal, origin }: NotebookOptions): Notebook {
  return {
    note: (name, detail, more = {}) => steps.push({ name, ok: true, detail, ...more }),
    async attempt(name, ms, run) {
      try {
        return await withDeadline({ clock, ms, signal, late: () => silence(origin(), ms) }, run)
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof LlmError)) throw error
        throw new StepFailed({ name, ok: false, detail: error.message, next: adviceFor(error) })
      }
    },
  }
}
