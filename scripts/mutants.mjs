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

/** Tests by stage, quickest first; a stage is run only for what the stages before it did not find. */
const suites = {
  conversation: [
    ['test/machines/conversation'],
    ['test/scenarios'],
    ['test/model/conversation'],
    ['test/model/orders'],
    ['test/runtime'],
    ['test/model/random'],
  ],
  reply: [
    ['test/machines/reply.test', 'test/machines/reply.tools'],
    ['test/machines/reply.walk'],
    ['test/scenarios'],
    ['test/generation', 'test/faults'],
  ],
  detection: [['test/machines/detection'], ['test/backends', 'test/runtime']],
  breaker: [['test/machines/breaker'], ['test/generation']],
}
const suiteOf = (mutant) => suites[mutant.split('/')[0]]

const wanted = process.argv.slice(2)
const survivorsKnown = JSON.parse(readFileSync(new URL('survivors.json', import.meta.url), 'utf8'))
const mutants = await allMutants()
const asked = mutants.filter((mutant) => wanted.length === 0 || wanted.some((start) => mutant.startsWith(start)))
console.log(`${asked.length} transitions of ${mutants.length}`)

let done = 0
let survivors = asked
for (let stage = 0; survivors.some((mutant) => suiteOf(mutant)[stage] !== undefined); stage++) {
  survivors = await notFoundBy(stage, survivors)
}

const surprises = survivors.filter((mutant) => survivorsKnown[mutant] === undefined)
const killedNow = Object.keys(survivorsKnown).filter((mutant) => asked.includes(mutant) && !survivors.includes(mutant))
console.log(`${asked.length - survivors.length} of ${asked.length} found by a test`)
for (const mutant of survivors) console.log(`survives: ${mutant}: ${survivorsKnown[mutant] ?? 'NO REASON GIVEN'}`)
for (const mutant of killedNow) console.log(`no survivor any more: ${mutant}`)
process.exitCode = surprises.length > 0 ? 1 : 0

/** `chart/transition` for every transition of every chart. */
async function allMutants() {
  const server = { middlewareMode: true, ws: false, watch: null }
  const vite = await createServer({ configFile: false, logLevel: 'error', server, appType: 'custom' })
  const found = []
  for (const chart of Object.keys(suites)) {
    const module = await vite.ssrLoadModule('/machines/index.ts')
    const { config } = module[`${chart}Machine`]
    for (const name of transitionsOf(config)) found.push(`${config.id ?? chart}/${name}`)
  }
  await vite.close()
  return found
}

async function notFoundBy(stage, candidates) {
  const suitesNow = new Set(candidates.map((mutant) => suiteOf(mutant)[stage]).filter((files) => files !== undefined))
  for (const files of suitesNow)
    if (await fails(files, '')) throw new Error(`the tests fail as it is, without a mutant: ${files.join(' ')}`)
  const queue = [...candidates]
  const found = new Set()
  const work = async () => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const files = suiteOf(mutant)[stage]
      if (files === undefined) continue
      if (await fails(files, mutant)) {
        found.add(mutant)
        done += 1
        console.log(`${String(done).padStart(4)}  found     ${mutant}`)
      } else console.log(`      survives  ${mutant}: ${files.join(' ')}`)
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, availableParallelism() - 1) }, work))
  return candidates.filter((mutant) => !found.has(mutant))
}

function fails(files, mutant) {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'scripts/mutants.config.mjs', '--bail', '1']
  const env = { ...process.env, COLLOQUY_MUTANT: mutant }
  const child = spawn(process.execPath, [...vitest, '--passWithNoTests', ...files], { env, stdio: 'ignore' })
  return new Promise((resolve) => child.on('exit', (code) => resolve(code !== 0)))
}
