import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { InspectionEvent } from 'xstate'
import { conversationMachine } from '../../machines/index.ts'
import type { Clock, Turn } from '../../machines/vocabulary.ts'
import { LlmError } from '../../src/backends/contract.ts'
import { readStoredConversation } from '../../src/persistence/record.ts'
import {
  formatScenario,
  parseScenario,
  runScenario,
  scriptedStore,
  type ScriptedStore,
} from '../../src/testing/index.ts'
import { perform, type LaggingStore } from '../../src/testing/perform.ts'
import { brokenPromises } from './invariants.ts'
import { randomCase, type RandomCase } from './timelines.ts'

const runs = Number(process.env['COLLOQUY_RUNS'] ?? 2_000)
const seed = Number(process.env['COLLOQUY_SEED'] ?? 4_747)

const detectors: Record<Exclude<RandomCase['detector'], 'none'>, () => Promise<{ endOfTurn: number }>> = {
  sure: async () => ({ endOfTurn: 0.9 }),
  unsure: async () => ({ endOfTurn: 0.1 }),
  fails: async () => {
    throw new Error('the detector fails')
  },
  silent: () => new Promise(() => {}),
}

const stores: Record<Exclude<RandomCase['store'], 'none'>, (store: ScriptedStore, clock: Clock) => LaggingStore> = {
  quick: (store) => store,
  // Slower than most models, so that a first segment waits for it.
  slow: (store, clock) => {
    let lingering = 0
    return {
      ...store,
      get lingering() {
        // Its own timer, and that of the conversation which is over and waits for it.
        return lingering * 2
      },
      async commit(write) {
        lingering += 1
        await new Promise<void>((resolve) => void clock.schedule(resolve, 1_600))
        lingering -= 1
        await store.commit(write)
      },
    }
  },
  fails: (store) => ({
    ...store,
    commit: () => Promise.reject(new LlmError('store', { message: 'full', retryable: true })),
  }),
}

/** Each state of the chart, as its path. */
const states = statesBelow(conversationMachine.root.states, '')
const faults = ['http', 'refused', 'stall', 'cut', 'no-end', 'error-record', 'deaf', 'never', 'finish', 'not-pausable']

describe('2 000 random conversations', () => {
  test('keep every promise', { timeout: 280_000 }, async () => {
    const visits = new Map<string, number>()
    const met = new Map<string, number>()
    let count = 0
    const promises = fc.asyncProperty(randomCase, async (given) => {
      const entered = new Set<string>()
      const seen = await play(given, entered)
      count += 1
      for (const state of entered) visits.set(state, (visits.get(state) ?? 0) + 1)
      for (const fault of faultsMet(given, seen)) met.set(fault, (met.get(fault) ?? 0) + 1)
      const broken = brokenPromises(given.scenario, seen)
      if (!seen.isKept) broken.push('what the store keeps is not the history')
      if (broken.length > 0) throw new Error(broken.join('\n'))
    })
    const details = await fc.check(promises, { numRuns: runs, seed })
    if (details.failed) throw new Error(await told(details.counterexample?.[0], details.errorInstance))

    const share = (state: string) => (visits.get(state) ?? 0) / count
    const covered = [
      ...states.map((state) => `${state} ${(share(state) * 100).toFixed(1)} %`),
      ...faults.map((fault) => `${fault} ${met.get(fault) ?? 0}`),
    ]
    console.log(`${count} random conversations, seed ${seed}\n  ${covered.join('\n  ')}`)
    expect(states.filter((state) => share(state) < 0.05)).toEqual([])
    expect(faults.filter((fault) => (met.get(fault) ?? 0) < 20)).toEqual([])
  })
})

async function play({ scenario, detector, store }: RandomCase, entered: Set<string>) {
  const inspect = (event: InspectionEvent) => {
    if (event.type !== '@xstate.microstep' && event.type !== '@xstate.snapshot') return
    // The reply and the breakers are charts too; theirs are other states.
    if (!('value' in event.snapshot) || event.actorRef.sessionId !== event.rootId) return
    for (const path of pathsOf(event.snapshot.value, '')) if (states.includes(path)) entered.add(path)
  }
  const scripted = scriptedStore()
  const seen = await perform(parseScenario(scenario), {
    inspect,
    ...(store === 'none' ? {} : { store: (clock) => stores[store](scripted, clock) }),
    ...(detector === 'none' ? {} : { detector: detectors[detector] }),
  })
  return { ...seen, isKept: store === 'none' || store === 'fails' || isDeepStrictEqual(keptIn(scripted), seen.history) }
}

/** The history that the next run would begin with. */
function keptIn({ kept }: ScriptedStore): readonly Turn[] {
  const stored = kept.get('default')
  if (stored === undefined) return []
  const read = readStoredConversation('default', stored)
  if (!read.ok) throw new Error(read.reason)
  return read.remembered.history
}

/** What went wrong in this run: faults of requests that were made, and the ways of the sink that was used. */
function faultsMet({ scenario }: RandomCase, { backend, sink }: Awaited<ReturnType<typeof perform>>): Set<string> {
  const replies = scenario.backend?.replies ?? []
  const met = new Set<string>()
  backend.requests.forEach(({ aborted }, index) => {
    const fault = replies[Math.min(index, replies.length - 1)]?.fault?.kind
    if (fault !== undefined && (fault !== 'deaf' || aborted)) met.add(fault)
  })
  if (sink.played.length === 0) return met
  met.add(scenario.sink?.acknowledges ?? 'progress')
  if (scenario.sink?.pausable === false) met.add('not-pausable')
  return met
}

/** The smallest conversation that breaks a promise, as a scenario file. */
async function told(smallest: RandomCase | undefined, error: unknown): Promise<string> {
  if (smallest === undefined) return String(error)
  const file = join(tmpdir(), 'colloquy-failed-scenario.json')
  writeFileSync(file, `${JSON.stringify(smallest.scenario, null, 2)}\n`)
  const result = await runScenario(smallest.scenario)
  return `${String(error)}\ndetector: ${smallest.detector}; store: ${smallest.store}; the scenario is in ${file}\n${JSON.stringify(smallest.scenario)}\n${formatScenario(result)}`
}

function statesBelow(nodes: Record<string, { states: object }>, prefix: string): string[] {
  return Object.entries(nodes).flatMap(([key, { states: below }]) => {
    const path = `${prefix}${key}`
    return [path, ...statesBelow(Object.fromEntries(Object.entries(below)), `${path}.`)]
  })
}

function pathsOf(value: unknown, prefix: string): string[] {
  if (typeof value === 'string') return [`${prefix}${value}`]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, below]) => [`${prefix}${key}`, ...pathsOf(below, `${prefix}${key}.`)])
}
