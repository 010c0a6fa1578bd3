/**
 * Removes any one transition from each chart and runs the tests: one must fail. `npm run test:mutants`, or for some of
 * them `npm run test:mutants -- conversation/detecting`. What survives must stand in `survivors.json`, with its reason;
 * anything else that survives is an exit code of 1.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { createServer } from 'vite'
import { transitionsOf } from './without-transition.mjs'

/** Tests that find most mutants, quickest first, then what finds the rest. */
const suites = {
  conversation: [
    ['test/machines/conversation'],
    ['test/model/conversation', 'test/model/orders', 'test/scenarios'],
    ['test/runtime'],
    ['test/model/random'],
  ],
  reply: [['test/machines/reply'], ['test/scenarios'], ['test/generation', 'test/faults']],
  detection: [['test/machines/detection'], ['test/backends', 'test/runtime']],
  breaker: [['test/machines/breaker'], ['test/generation']],
}

const wanted = process.argv.slice(2)
const survivorsKnown = JSON.parse(readFileSync(new URL('survivors.json', import.meta.url), 'utf8'))
const vite = await createServer({ configFile: false, logLevel: 'error', server: { middlewareMode: true, ws: false, watch: null }, appType: 'custom' })
const mutants = []
for (const chart of Object.keys(suites)) {
  const module = await vite.ssrLoadModule(`/machines/${chart}.ts`)
  const { config } = module[`${chart}Machine`]
  for (const name of transitionsOf(config)) mutants.push(`${config.id ?? chart}/${name}`)
}
await vite.close()

const queue = mutants.filter((mutant) => wanted.length === 0 || wanted.some((start) => mutant.startsWith(start)))
const total = queue.length
const charts = new Set(queue.map((mutant) => mutant.split('/')[0]))
for (const files of [...charts].flatMap((chart) => suites[chart]))
  if (await fails(files, '')) throw new Error(`the tests fail as it is, without a mutant: ${files.join(' ')}`)
const survivors = []
let done = 0
console.log(`${total} transitions of ${mutants.length}`)
await Promise.all(Array.from({ length: Math.max(1, availableParallelism() - 1) }, work))

const surprises = survivors.filter((mutant) => survivorsKnown[mutant] === undefined)
const killedNow = Object.keys(survivorsKnown).filter((mutant) => queue.includes(mutant) && !survivors.includes(mutant))
console.log(`${total - survivors.length} of ${total} found by a test`)
for (const mutant of survivors) console.log(`survives: ${mutant}: ${survivorsKnown[mutant] ?? 'NO REASON GIVEN'}`)
for (const mutant of killedNow) console.log(`no survivor any more: ${mutant}`)
process.exitCode = surprises.length > 0 ? 1 : 0

async function work() {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const found = await isFound(mutant)
    done += 1
    if (!found) survivors.push(mutant)
    console.log(`${String(done).padStart(4)}  ${found ? 'found   ' : 'SURVIVES'}  ${mutant}`)
  }
}

async function isFound(mutant) {
  for (const files of suites[mutant.split('/')[0]]) if (await fails(files, mutant)) return true
  return false
}

function fails(files, mutant) {
  const options = ['vitest', 'run', '--config', 'scripts/mutants.config.mjs', '--bail', '1', '--passWithNoTests', ...files]
  const child = spawn('npx', options, { env: { ...process.env, COLLOQUY_MUTANT: mutant }, stdio: 'ignore' })
  return new Promise((resolve) => child.on('exit', (code) => resolve(code !== 0)))
}
