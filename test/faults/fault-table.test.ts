import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { LlmError } from '../../src/backends/contract.ts'
import { faultMarkdown, faultTable, testsByRow } from './fault-table.ts'
import { findSecret, plantedKey } from './secrets.ts'

const rows = faultTable.flatMap((group) => group.rows)

describe('the table of faults', () => {
  it('has its rows in order, each once', () => {
    const numbers = rows.map(({ row }) => row)
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
    expect(numbers.slice(0, 60)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1))
  })

  it('every row has a test, or says what is missing for one', () => {
    const tests = testsByRow()
    expect(rows.filter(({ row, missing }) => !tests.has(row) && missing === undefined)).toEqual([])
    const known = new Set(rows.map(({ row }) => row))
    expect([...tests.keys()].filter((row) => !known.has(row))).toEqual([])
  })

  it('docs/faults.md shows it with the names of the tests', () => {
    const page = new URL('../../docs/faults.md', import.meta.url)
    const written = readFileSync(page, 'utf8')
    const right = written.replace(/^\| # \|[^]*?(?=\n\n)/mu, () => faultMarkdown())
    // UPDATE_DOCS=1 npx vitest run test/faults/fault-table.test.ts
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(page, right)
    else expect(written).toBe(right)
  })
})

describe('what looks for the planted key', () => {
  it('finds it wherever it is', () => {
    const cause = Object.assign(new Error('refused'), { hidden: new Map([['a', [plantedKey]]]) })
    const places = [
      plantedKey,
      { headers: { authorization: `Bearer ${plantedKey}` } },
      new LlmError('auth', { message: 'no', cause }),
      [Buffer.from(plantedKey).toString('base64')],
      new Set([encodeURIComponent(plantedKey)]),
    ]
    for (const place of places) expect(findSecret(place)).not.toBe('nowhere')
    expect(findSecret(new LlmError('auth', { message: 'no', cause: new Error('no') }))).toBe('nowhere')
  })
})
