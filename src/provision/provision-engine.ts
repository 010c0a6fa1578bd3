import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Clock } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { cacheFolder } from './cache-folder.ts'
import { engineFolder, isWhole } from './engine-folder.ts'
import { engineManifest } from './engine-manifest.ts'
import { enginePlatform, thisMachine, type Machine } from './engine-platform.ts'
import { exclusively } from './exclusively.ts'
import { codeOf, fileFault, needSpace } from './faults.ts'
import type { OnProgress } from './progress.ts'
import { runProgram, type ProgramEnd } from './run-program.ts'

export interface ProvisionEngineOptions {
  clock: Clock
  /** Default: `cacheFolder()`. */
  cacheDir?: string
  onProgress?: OnProgress
  signal?: AbortSignal
  /** For `npm ci`. Default 5 minutes. */
  timeLimitMs?: number
  environment?: NodeJS.ProcessEnv
  machine?: Machine
}

/** Slim it takes 85 MB, and npm needs as much again while it works. */
const neededBytes = 250_000_000

/**
 * Brings the embedded engine into the cache folder by `npm ci` from the lock file in this package, and tries it.
 * Resolves with its folder; at once when it is there. Rejects with `config` (no npm, no disk space, musl, no build for
 * the platform) or `connection` (registry out of reach, time limit), and leaves nothing half done. Two processes at
 * once: one waits for the other.
 */
export async function provisionEngine(options: ProvisionEngineOptions): Promise<string> {
  const { clock, cacheDir = cacheFolder(), onProgress, signal, machine = thisMachine() } = options
  const platform = enginePlatform(machine)
  const folder = await engineFolder(cacheDir, machine)
  if (isWhole(folder)) return folder
  await needSpace(cacheDir, neededBytes)
  const say = (phase: 'waiting' | 'installing' | 'verifying') => onProgress?.({ what: 'engine', phase })
  try {
    return await exclusively(`${folder}.lock`, { clock, signal, onWait: () => say('waiting') }, async () => {
      if (isWhole(folder)) return folder
      const staging = `${folder}.tmp-${process.pid}`
      try {
        await removeLeftovers(folder)
        await mkdir(staging)
        const { manifest, lock } = await engineManifest(platform)
        await writeFile(join(staging, 'package.json'), manifest)
        await writeFile(join(staging, 'package-lock.json'), lock)
        say('installing')
        await install(staging, options)
        say('verifying')
        await tryOut(staging, options)
        await rename(staging, folder)
        return folder
      } finally {
        await rm(staging, { recursive: true, force: true })
      }
    })
  } catch (error) {
    throw fileFault(error, cacheDir)
  }
}

/** What an interrupted attempt left; the lock says that nobody is at work on it. */
async function removeLeftovers(folder: string): Promise<void> {
  const parent = dirname(folder)
  for (const name of await readdir(parent)) {
    const path = join(parent, name)
    if (path.startsWith(`${folder}.tmp-`)) await rm(path, { recursive: true, force: true })
  }
}

async function install(cwd: string, options: ProvisionEngineOptions): Promise<void> {
  const { clock, signal, timeLimitMs = 300_000, environment = process.env } = options
  // The last two: a user's own setting against lock files does not count here, and what npm has it need not fetch.
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  const args = ['ci', '--ignore-scripts', '--omit=optional', ...quiet, '--package-lock=true', '--prefer-offline']
  const [file, ...first] = npmCommand(environment)
  let end: ProgramEnd
  try {
    const shell = process.platform === 'win32' && file.endsWith('.cmd')
    end = await runProgram(file, [...first, ...args], {
      cwd,
      env: npmEnvironment(environment),
      clock,
      timeLimitMs,
      signal,
      shell,
    })
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw cause
    const message = 'The embedded engine is installed with npm, and there is no npm here; install npm, or use a server.'
    throw new LlmError('config', { message, cause, backend: 'embedded', fault: 'no-npm' })
  }
  if (end.code === 0) return
  throw installFault(end, timeLimitMs)
}

function installFault(end: ProgramEnd, timeLimitMs: number): LlmError {
  const cause = end.output
  if (end.timedOut) {
    const message = `npm did not bring the embedded engine within ${Math.round(timeLimitMs / 1_000)} s; look at the network and try again.`
    return new LlmError('connection', { message, cause, backend: 'embedded', fault: 'time-limit' })
  }
  const code = /npm error code (\w+)/u.exec(cause)?.[1] ?? `exit ${end.code}`
  if (code === 'ENOSPC') {
    const message = 'The disk became full while the embedded engine was installed; free 250 MB and try again.'
    return new LlmError('config', { message, cause, backend: 'embedded', fault: 'disk-space' })
  }
  const message = /^(?:E(?:NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH)|ERR_SOCKET_TIMEOUT)$/u.test(
    code,
  )
    ? `npm cannot reach its registry (${code}), so the embedded engine cannot be installed; go online or use a server.`
    : `npm could not install the embedded engine (${code}); try again, or use a server.`
  return new LlmError('connection', { message, cause, backend: 'embedded', fault: 'npm' })
}

/** npm as whoever called us runs it, else the one beside this Node, else the one on the path. */
function npmCommand(environment: NodeJS.ProcessEnv): [string, ...string[]] {
  const running = environment['npm_execpath']
  if (running?.endsWith('npm-cli.js') && existsSync(running)) return [process.execPath, running]
  const beside = join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js')
  if (process.platform === 'win32' && existsSync(beside)) return [process.execPath, beside]
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm']
}

/** npm's configuration stays; what an outer `npm run` says about its own package does not. */
function npmEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const outer =
    /^(?:npm_package_|npm_lifecycle_|npm_config_local_prefix$|npm_config_(?:global|omit|include)$|INIT_CWD$)/iu
  const kept = Object.entries(environment).filter(([name]) => !outer.test(name))
  return { ...Object.fromEntries(kept), NODE_LLAMA_CPP_SKIP_DOWNLOAD: 'true' }
}

/** Loads the engine's binary once, in a process of its own: a build that does not fit the machine shows here. */
async function tryOut(folder: string, { clock, signal, environment = process.env }: ProvisionEngineOptions) {
  const module = pathToFileURL(join(folder, 'node_modules', 'node-llama-cpp', 'dist', 'index.js')).href
  const code = `const { getLlama } = await import(${JSON.stringify(module)})
    await getLlama({ build: 'never', skipDownload: true, gpu: ${process.platform === 'darwin' && process.arch === 'arm64' ? "'metal'" : 'false'}, logLevel: 'error', progressLogs: false })
    process.exit(0)`
  // From a file: the engine starts a process of its own with the same arguments, and `-e` would be one of them.
  const file = join(folder, 'try-out.mjs')
  await writeFile(file, code)
  const env = { ...environment, NODE_LLAMA_CPP_SKIP_DOWNLOAD: 'true', NODE_OPTIONS: '' }
  const end = await runProgram(process.execPath, [file], { cwd: folder, env, clock, timeLimitMs: 60_000, signal })
  if (end.code === 0) return
  const message = 'The embedded engine was installed but does not run on this machine; use a server instead.'
  throw new LlmError('config', { message, cause: end.output, backend: 'embedded', fault: 'engine-broken' })
}
