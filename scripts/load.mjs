/**
 * Runs a command beside busy processes, so that a test which depends on the speed of the machine fails here first:
 * `node scripts/load.mjs 8 -- npx vitest run test/embedded`. The busy processes end with the command, and soon after this
 * one however it ends. The exit code is the command's.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const self = fileURLToPath(import.meta.url)
const [first, second, ...command] = process.argv.slice(2)

if (first === 'spin') spin(Number(second))
else process.exitCode = await run(Number(first))

/** Keeps one core busy until the parent is gone, which a parent that is killed cannot say. */
function spin(parent) {
  while (process.ppid === parent) {
    const until = Date.now() + 20
    while (Date.now() < until);
  }
}

async function run(count) {
  if (!Number.isInteger(count) || count < 1 || second !== '--' || command.length === 0) {
    console.error('usage: node scripts/load.mjs PROCESSES -- COMMAND [ARGUMENTS]')
    return 2
  }
  const busy = Array.from({ length: count }, () =>
    spawn(process.execPath, [self, 'spin', String(process.pid)], { stdio: 'ignore' }),
  )
  try {
    return await ended(spawn(command[0], command.slice(1), { stdio: 'inherit', shell: process.platform === 'win32' }))
  } catch (error) {
    console.error(`${command[0]} cannot be run: ${error.message}`)
    return 1
  } finally {
    for (const one of busy) one.kill('SIGKILL')
  }
}

function ended(child) {
  return new Promise((resolve, reject) => {
    // A terminal sends Ctrl-C to the command too; the busy ones end once it has.
    process.on('SIGINT', () => {})
    for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)))
  })
}
