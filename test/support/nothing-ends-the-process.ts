import { firstValueFrom, timer } from 'rxjs'
import { afterEach, beforeEach, expect, vi, type MockInstance } from 'vitest'

/** For each test of the file: fails where the process would have ended, and keeps the warnings from the terminal. */
export function nothingEndsTheProcess(): { warnings(): string[] } {
  let ended: unknown[] = []
  let warn: MockInstance | undefined
  const ends = (reason: unknown) => void ended.push(reason)
  beforeEach(() => {
    ended = []
    warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    process.on('unhandledRejection', ends)
    process.on('uncaughtException', ends)
  })
  afterEach(async () => {
    // RxJS throws in a timer what nobody caught: one that is set later comes later.
    await firstValueFrom(timer(0))
    process.off('unhandledRejection', ends)
    process.off('uncaughtException', ends)
    warn?.mockRestore()
    expect(ended).toEqual([])
  })
  return { warnings: () => (warn?.mock.calls ?? []).map(([warning]) => String(warning)) }
}
