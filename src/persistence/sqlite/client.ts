import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { LlmError } from '../../backends/contract.ts'
import { storeError } from './faults.ts'
import { StoreReport, type StoreCommand, type StoreThreadOptions } from './messages.ts'
import type { SetAside } from '../store.ts'

type Failed = Extract<StoreReport, { type: 'failed' }>
type WithoutId<Command> = Command extends unknown ? Omit<Command, 'id'> : never
export type Asked = WithoutId<Exclude<StoreCommand, { type: 'open' | 'close' }>>

interface Pending {
  report(report: StoreReport): void
  fail(error: LlmError): void
}

/** Where the thread's code is. From sources (tests), the runner has it compiled and says where. */
function entry(): string {
  const built = fileURLToPath(new URL('./worker.js', import.meta.url))
  const compiled = process.env['COLLOQUY_STORE_ENTRY']
  if (existsSync(built) || compiled === undefined) return built
  return compiled
}

/**
 * One thread with one open file. Messages are answered in the order they were sent; the thread keeps the process alive
 * only while one is not answered. Once gone, whatever it was asked and is asked rejects.
 */
export class SqliteClient {
  readonly opened: Promise<{ setAside?: SetAside }>
  readonly exited: Promise<void>
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #gone: LlmError | undefined
  #over = false

  constructor(settings: StoreThreadOptions, { mayPutAside }: { mayPutAside: boolean }) {
    this.#worker = new Worker(entry(), {
      name: 'colloquy store',
      workerData: settings,
      // Node 22 and 24 call their SQLite experimental, on a terminal that belongs to the program.
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    this.#worker.on('message', (message) => {
      const report = StoreReport.parse(message)
      this.#pending.get(report.id)?.report(report)
    })
    let cause: unknown
    this.#worker.on('error', (error) => {
      cause = error
    })
    this.exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#over = true
        const message = `The thread that writes ${settings.file} ended (code ${code}); the next write starts it again.`
        this.#gone ??= storeError('thread', message, { cause, retryable: true })
        for (const { fail } of this.#pending.values()) fail(this.#gone)
        resolve()
      })
    })
    this.opened = this.#open(mayPutAside)
    // Whoever asked for something is told.
    this.opened.catch(() => undefined)
  }

  get alive(): boolean {
    return this.#gone === undefined
  }

  ask<Answer extends StoreReport>(
    command: Asked,
    isAnswer: (report: StoreReport) => report is Answer,
  ): Promise<Answer> {
    return this.#send((id) => ({ ...command, id }), isAnswer)
  }

  /** Finishes what was asked before. A thread that has gone meanwhile is closed too, and has told those who waited. */
  async close(): Promise<void> {
    const closed = this.#send(
      (id) => ({ type: 'close', id }),
      (report) => report.type === 'closed',
    )
    await closed.catch(() => undefined)
    if (!this.#over) this.#worker.ref()
    await this.exited
  }

  async #open(mayPutAside: boolean): Promise<{ setAside?: SetAside }> {
    try {
      const { setAside } = await this.#send(
        (id) => ({ type: 'open', id, mayPutAside }),
        (report) => report.type === 'opened',
      )
      return setAside === undefined ? {} : { setAside }
    } catch (error) {
      // What was asked of it meanwhile fails for the same reason.
      if (error instanceof LlmError) this.#gone ??= error
      await this.#worker.terminate()
      throw error
    }
  }

  async #send<Answer extends StoreReport>(
    command: (id: number) => StoreCommand,
    isAnswer: (report: StoreReport) => report is Answer,
  ): Promise<Answer> {
    if (this.#gone !== undefined) throw this.#gone
    const id = ++this.#lastId
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.#pending.set(id, {
          fail: reject,
          report: (report) => {
            if (isAnswer(report)) resolve(report)
            else
              reject(report.type === 'failed' ? failure(report) : storeError('thread', 'The store was misunderstood.'))
          },
        })
        this.#worker.ref()
        this.#worker.postMessage(command(id))
      })
    } finally {
      this.#pending.delete(id)
      if (this.#pending.size === 0) this.#worker.unref()
    }
  }
}

function failure({ message, retryable, fault, cause }: Failed): LlmError {
  return storeError(fault, message, { retryable, ...(cause === undefined ? {} : { cause: new Error(cause) }) })
}
