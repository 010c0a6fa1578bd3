import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { defaultPolicy } from '../../machines/conversation/policy.ts'
import { describeConfig, describeConfigPlainly } from '../../src/config/describe-config.ts'
import { listSettings } from '../../src/config/list-settings.ts'
import { parseConfig } from '../../src/config/parse-config.ts'

describe('the configuration is documented by its schema', () => {
  it('docs/configuration.md is not stale (npm run docs prints it anew)', async () => {
    const page = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
    expect(page).toContain(`<!-- printed from the schema -->\n${describeConfig()}\n`)
  })

  it('every setting says what it means', () => {
    for (const { path, meaning, allowed } of listSettings()) {
      expect(meaning, path).not.toBe('')
      expect(allowed, path).not.toBe('')
    }
  })

  it('no two settings share a variable', () => {
    const variables = listSettings().map(({ variable }) => variable)
    expect(new Set(variables).size).toBe(variables.length)
  })

  it('--help has a line for each setting, none longer than the terminal', () => {
    const lines = describeConfigPlainly(80).split('\n')
    expect(lines).toHaveLength(listSettings().length)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('the chart used alone and the configured service wait equally long', () => {
    const { endpointing, interruption, speculation, error } = parseConfig({})
    const { asksDetector: _, ...endOfTurn } = defaultPolicy.endpointing
    expect(endpointing).toEqual(endOfTurn)
    const { enabled, minDurationMs, minWords, falseAfterMs } = defaultPolicy.interruption
    expect(interruption).toMatchObject({ enabled, minDurationMs, minWords, falseAfterMs })
    expect(speculation.stableMs).toBe(defaultPolicy.speculation.stableMs)
    expect(error.resetMs).toBe(defaultPolicy.errorResetMs)
  })
})
