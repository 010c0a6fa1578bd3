import { describe, expect, it } from 'vitest'
import { renameOnceFree } from '../../src/persistence/sqlite/aside.ts'

/** A file that refuses to be renamed with `codes`, one a try. */
function heldFile(...codes: string[]) {
  let heldForMs = 0
  const told: string[] = []
  return {
    told,
    heldForMs: () => heldForMs,
    sleep: (ms: number) => void (heldForMs += ms),
    rename(from: unknown, to: unknown) {
      const code = codes.shift()
      if (code !== undefined) throw Object.assign(new Error(code), { code, syscall: 'rename' })
      told.push(`${String(from)} is ${String(to)}`)
    },
  }
}

describe('a file that is to be renamed', () => {
  it('and that another program has open is tried again', () => {
    const file = heldFile('EBUSY', 'EPERM', 'EACCES')
    renameOnceFree('a', 'b', file)
    expect(file.told).toEqual(['a is b'])
    expect(file.heldForMs()).toBeLessThanOrEqual(150)
  })

  it('and that stays open is left after a moment', () => {
    const file = heldFile(...Array.from({ length: 100 }, () => 'EBUSY'))
    expect(() => renameOnceFree('a', 'b', file)).toThrow(/EBUSY/u)
    expect(file.heldForMs()).toBeLessThanOrEqual(150)
  })

  it('and cannot be for another reason is left at once', () => {
    const file = heldFile('ENOENT')
    expect(() => renameOnceFree('a', 'b', file)).toThrow(/ENOENT/u)
    expect(file.heldForMs()).toBe(0)
  })
})
