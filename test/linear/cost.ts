/**
 * What a run costs in CPU time of this process, in ms. Wall time would depend on what else the machine does; CPU time is
 * counted by the system for this process alone.
 */
export function costMs(run: () => void): number {
  const before = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/**
 * The least of up to four costs: what is above it is the compiler, the collector and cold caches. `enough`: one that is
 * no greater needs no second look.
 */
export function leastCostMs(run: () => void, enough = 0): number {
  let least = Infinity
  for (let turn = 0; turn < 4 && least > enough; turn += 1) least = Math.min(least, costMs(run))
  return least
}

/** On two calm cores of a small cloud machine. */
const referenceMs = 4

/**
 * How many times slower this machine is now than a calm one, 1 at least: processes that share its cores, caches and
 * memory make each step cost more.
 */
export function slowness(): number {
  const cost = leastCostMs(() => {
    const words = new Map<string, number>()
    for (let i = 0; i < 20_000; i += 1) {
      const word = `word ${i % 1_000}`.slice(2).trim()
      words.set(word, (words.get(word) ?? 0) + 1)
    }
  })
  return Math.max(1, cost / referenceMs)
}
