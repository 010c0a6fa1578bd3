import type { TestProject } from 'vitest/node'
import { LlmError } from '../../src/backends/contract.ts'
import { provisionEngine } from '../../src/provision/provision-engine.ts'
import { pullModel } from '../../src/provision/pull-model.ts'
import { systemClock } from '../../src/runtime/clock.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Engine and weights; undefined where they cannot be had here. */
    smollm2: { engineDir: string; modelPath: string; modelName: string } | undefined
  }
}

/** Brings engine and weights once, before the tests; says so in a line where it cannot, and the tests are skipped. */
export default async function setup(project: TestProject): Promise<void> {
  const clock = systemClock
  try {
    const engineDir = await provisionEngine({ clock })
    const { path, name } = await pullModel('SmolLM2-135M', { clock })
    project.provide('smollm2', { engineDir, modelPath: path, modelName: name })
  } catch (error) {
    if (!(error instanceof LlmError)) throw error
    console.warn(`Tests with SmolLM2 are skipped: ${error.message}`)
    project.provide('smollm2', undefined)
  }
}
