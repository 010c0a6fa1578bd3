import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { formatScenario, runScenario } from '../../src/testing/index.ts'

const folder = new URL('.', import.meta.url)
const files = readdirSync(folder).filter((file) => file.endsWith('.json'))

describe('scenarios of our own', () => {
  test.each(files)('%s', async (file) => {
    const result = await runScenario(JSON.parse(readFileSync(new URL(file, folder), 'utf8')))
    expect(result.passed, formatScenario(result)).toBe(true)
  })
})
