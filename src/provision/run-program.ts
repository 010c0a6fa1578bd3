import { spawn } from 'node:child_process'
import type { Clock } from '../../machines/vocabulary.ts'

export interface ProgramEnd {
  code: number | null
  /** The last few thousand characters of what it said on both channels. */
  output: string
  timedOut: boolean
}

export interface ProgramOptions {
  cwd: string
  env: NodeJS.ProcessEnv
  clock: Clock
  timeLimitMs: number
  signal?: AbortSignal | undefined
  /** For .cmd files on Windows. */
  shell?: boolean
}

/**
 * Runs a program to its end, under a time limit. Rejects with the signal's reason, or with the system's error where
 * there is no such program; the program has been ended then.
 */
export function runProgram(file: string, args: readonly string[], options: ProgramOptions): Promise<ProgramEnd> {
  const { cwd, env, clock, timeLimitMs, signal, shell = false } = options
  return new Promise((resolve, reject) => {
    let output = ''
    let timedOut = false
    const child = spawn(file, args, { cwd, env, shell, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true })
    const hear = (text: string) => {
      output = (output + text).slice(-8_000)
    }
    child.stdout.setEncoding('utf8').on('data', hear)
    child.stderr.setEncoding('utf8').on('data', hear)
    const end = () => child.kill('SIGKILL')
    const cancel = clock.schedule(() => {
      timedOut = true
      end()
    }, timeLimitMs)
    const leave = () => {
      cancel()
      signal?.removeEventListener('abort', end)
    }
    signal?.addEventListener('abort', end, { once: true })
    if (signal?.aborted) end()
    child.on('error', (error) => {
      leave()
      reject(error)
    })
    child.on('close', (code) => {
      leave()
      if (signal?.aborted) reject(signal.reason)
      else resolve({ code, output, timedOut })
    })
  })
}
