import type { Clock } from '../../machines/vocabulary.ts'
import { parseAddress, type Address } from '../backends/address.ts'
import { LlmError, type Backend } from '../backends/contract.ts'
import { failureBeforeHeaders } from '../backends/transport-faults.ts'
import type { Settings } from '../config/config.ts'
import type { BackendConnection } from '../connecting/backend-connection.ts'
import { usualAddress } from '../connecting/connections.ts'
import { createNotebook, StepFailed, type DiagnosisStep, type DiagnosisStepName, type Notebook } from './notebook.ts'
import { diagnoseModel } from './diagnose-model.ts'
import { openSocket, resolveHost } from '../connecting/reach.ts'

export type { DiagnosisStep, DiagnosisStepName } from './notebook.ts'

/** Whether a conversation could be held now, step by step. The first step that fails is the last. */
export interface Diagnosis {
  ok: boolean
  origin: string
  backend?: string
  model?: string
  steps: DiagnosisStep[]
}

/**
 * Looks at name, port, HTTP, API, version, models, the model, its window, parallelism, and asks for a first token; that
 * last step loads the model, as a conversation would. Never rejects but with the signal's reason.
 */
export async function diagnose(
  connection: BackendConnection,
  settings: Settings,
  clock: Clock,
  signal: AbortSignal = new AbortController().signal,
): Promise<Diagnosis> {
  const steps: DiagnosisStep[] = []
  const baseUrl = settings.baseUrl ?? usualAddress
  const diagnosis: Diagnosis = { ok: false, origin: new URL(baseUrl).origin, steps }
  const notebook = createNotebook({ steps, clock, signal, origin: () => diagnosis.origin })
  try {
    const backend = await reach({ connection, settings, clock, notebook })
    diagnosis.origin = backend.origin
    diagnosis.backend = backend.name
    await diagnoseModel({ backend, settings, clock, notebook, found: (model) => (diagnosis.model = model) })
    diagnosis.ok = true
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    steps.push(error.step)
  }
  return diagnosis
}

interface Reach {
  connection: BackendConnection
  settings: Settings
  clock: Clock
  notebook: Notebook
}

async function reach({ connection, settings, clock, notebook }: Reach): Promise<Backend> {
  const { connectMs } = settings.timeouts
  const report = await notebook.attempt('http', 5 * connectMs, (signal) => connection.check(signal))
  const reached = (name: DiagnosisStepName) =>
    notebook.attempt(name, 5 * connectMs, (signal) => connection.connect(signal))
  if (!/^https?:/.test(report.origin)) {
    const backend = await reached('api')
    notebook.note('api', `The backend ${backend.name} runs in this process; there is no server to look at.`)
    return backend
  }
  const address = parseAddress(report.origin)
  const addresses = await notebook.attempt('dns', connectMs, (signal) =>
    typed(address, () => resolveHost(address, signal)),
  )
  notebook.note('dns', `${address.hostname} is ${addresses.join(', ')}.`)
  const since = clock.now()
  await notebook.attempt('tcp', connectMs, (signal) => typed(address, () => openSocket(address, signal)))
  notebook.note('tcp', `Port ${address.port} is open.`, { ms: clock.now() - since })
  // the report holds no fault: what asks again brings the error itself, with what to do about it
  const stage = report.reachable ? 'api' : 'http'
  const backend = await reached(stage)
  if (report.error !== undefined) {
    await notebook.attempt(stage, 5 * connectMs, (signal) => backend.models(signal))
  }
  notebook.note('http', `${backend.origin} answers.`, report.ms === undefined ? {} : { ms: report.ms })
  notebook.note('api', `It speaks ${backend.name}.`)
  notebook.note(
    'version',
    report.version === undefined ? 'It does not tell its version.' : `It is version ${report.version}.`,
  )
  return backend
}

/** Node's own errors of name and socket become LlmErrors. */
async function typed<T>(address: Address, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof LlmError) throw error
    throw failureBeforeHeaders(error, { address, backend: 'diagnose', secrets: [], connected: false, secured: true })
  }
}
