import { fork, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { LlmError } from '../contract.ts'
import { EngineReport, type EngineCommand, type OpenRequest } from './engine-messages.ts'

type AboutOne = Extract<EngineReport, { id: number }>
type Opened = Extract<EngineReport, { type: 'opened' }>

interface Pending {
  report(report: AboutOne): void
  fail(error: LlmError): void
}

/** Where the process's code is. From sources (tests), the runner has it compiled and says where. */
function entry(): string {
  const built = fileURLToPath(new URL('./engine-process.js', import.meta.url))
  const compiled = process.env['COLLOQUY_ENGINE_ENTRY']
  if (existsSync(built) || compiled === undefined) return built
  return compiled
}

/** Nothing of ours goes along that the engine does not need: no key, no token. */
function environment(): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'LD_LIBRARY_PATH', 'LANG']
  const kept = names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  return { ...Object.fromEntries(kept), NODE_LLAMA_CPP_SKIP_DOWNLOAD: 'true' }
}

/** One process with one open model. It ends with its parent, and it keeps nobody alive while it has nothing to do. */
export class EngineClient {
  readonly opened: Promise<Opened>
  readonly exited: Promise<void>
  readonly #child: ChildProcess
  readonly #modelName: string
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #working = 0
  #lastWords = ''
  #gone: LlmError | undefined

  constructor(open: Omit<OpenRequest, 'type'>, modelName: string) {
    this.#modelName = modelName
    this.#child = fork(entry(), [], {
      execArgv: [],
      env: environment(),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-2_000)
    })
    let opening: { resolve(opened: Opened): void; reject(error: LlmError): void } | undefined
    this.opened = new Promise((resolve, reject) => {
      opening = { resolve, reject }
    })
    // Whoever waits is told; a process that nobody waits for may fail in silence.
    this.opened.catch(() => undefined)
    this.#hold(1)
    const settle = (settled: () => void) => {
      if (opening === undefined) return
      opening = undefined
      this.#hold(-1)
      settled()
    }
    this.#child.on('message', (message) => {
      const report = EngineReport.parse(message)
      const { resolve, reject } = opening ?? {}
      if (report.type === 'opened') settle(() => resolve?.(report))
      else if (report.type === 'not-opened') settle(() => reject?.(this.#notOpened(report)))
      else this.#pending.get(report.id)?.report(report)
    })
    this.exited = new Promise((resolve) => {
      const leave = (error: LlmError) => {
        if (this.#gone !== undefined) return
        this.#gone = error
        const { reject } = opening ?? {}
        settle(() => reject?.(error))
        for (const pending of this.#pending.values()) pending.fail(error)
        resolve()
      }
      this.#child.on('exit', (code, signal) => leave(this.#crash(signal ?? `code ${code}`)))
      this.#child.on('error', (cause) => leave(this.#crash('it could not be started', cause)))
    })
    this.#send({ type: 'open', ...open })
  }

  get alive(): boolean {
    return this.#gone === undefined
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /**
   * One piece of work. `on` gets every report about it up to the one that `isLast`; rejects at once with the signal's
   * reason (the process is told, and is free within a slice of prompt or a token), or when the process ends.
   */
  async work<Last extends AboutOne>(
    command: (id: number) => EngineCommand,
    isLast: (report: AboutOne) => report is Last,
    signal: AbortSignal | undefined,
    on: (report: AboutOne) => void = () => undefined,
  ): Promise<Last> {
    signal?.throwIfAborted()
    if (this.#gone !== undefined) throw this.#gone
    const id = ++this.#lastId
    this.#hold(1)
    let stop = () => {}
    try {
      return await new Promise<Last>((resolve, reject) => {
        stop = () => {
          // At once, not in `finally`: messages that have arrived together are all told before any promise moves on.
          this.#pending.delete(id)
          this.#send({ type: 'abort', id })
          reject(signal?.reason)
        }
        this.#pending.set(id, {
          fail: reject,
          report: (report) => {
            if (isLast(report)) resolve(report)
            else if (report.type === 'failed') reject(failure(report))
            else on(report)
          },
        })
        signal?.addEventListener('abort', stop, { once: true })
        this.#send(command(id))
      })
    } finally {
      signal?.removeEventListener('abort', stop)
      this.#pending.delete(id)
      this.#hold(-1)
    }
  }

  /** Ends the process; it has no state worth saving. */
  async end(): Promise<void> {
    // Somebody waits for the exit, so it must keep the event loop alive.
    if (this.alive) this.#hold(1)
    this.#child.kill('SIGKILL')
    await this.exited
  }

  #send(command: EngineCommand): void {
    // A channel that breaks is told by `exit`.
    if (this.#child.connected) this.#child.send(command, () => undefined)
  }

  /** The process and its channel keep the event loop alive only while somebody waits for them. */
  #hold(change: 1 | -1): void {
    this.#working += change
    const verb = this.#working > 0 ? 'ref' : 'unref'
    this.#child[verb]()
    this.#child.channel?.[verb]()
    if (this.#child.stderr instanceof Socket) this.#child.stderr[verb]()
  }

  #notOpened({ reason, message: why }: Extract<EngineReport, { type: 'not-opened' }>): LlmError {
    if (reason === 'changed') {
      const message = `The model file ${why} has other bytes than the one published (sha256 differs), so it is not used; fetch it again: colloquy model pull ${this.#modelName}`
      return new LlmError('config', { message, backend: 'embedded', fault: 'model-changed' })
    }
    const memory = /memory|VRAM|context size/iu.test(why)
    const message = memory
      ? 'The model does not fit into this machine’s memory; choose a smaller one (colloquy model list).'
      : `The embedded engine could not load the model: ${oneLine(why)}.`
    return new LlmError('config', { message, cause: why, backend: 'embedded', fault: memory ? 'memory' : 'not-loaded' })
  }

  #crash(how: string, cause?: unknown): LlmError {
    const message = `The embedded engine’s process ended (${how}); the next turn starts it again.`
    return new LlmError('connection', {
      message,
      cause: cause ?? (this.#lastWords || undefined),
      backend: 'embedded',
      origin: 'embedded',
      fault: 'engine-crashed',
    })
  }
}

const oneLine = (text: string): string => text.split('\n')[0]?.replace(/\.$/u, '').slice(0, 300) ?? ''

function failure(report: Extract<EngineReport, { type: 'failed' }>): LlmError {
  if (report.reason === 'too-long') {
    const message = `The conversation does not fit the model’s window: ${report.message}.`
    return new LlmError('context-overflow', { message, backend: 'embedded' })
  }
  const message = `The embedded engine failed: ${oneLine(report.message)}.`
  return new LlmError('internal', { message, backend: 'embedded', fault: 'engine' })
}
