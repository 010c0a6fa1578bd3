const counted = ['Timeout', 'TCPSocketWrap', 'TCPServerWrap', 'TLSWrap', 'TCPConnectWrap']

/** What keeps this process busy: timers, sockets, servers; how many of each. */
export function resources(): Record<string, number> {
  const names = process.getActiveResourcesInfo()
  return Object.fromEntries(counted.map((name) => [name, names.filter((one) => one === name).length]))
}

/** No more of anything than before. The test runner has timers of its own, which come and go. */
export const isNoMoreThan = (before: Record<string, number>): boolean =>
  Object.entries(resources()).every(([name, count]) => count <= (before[name] ?? 0))

/** Waits until it is so; the test's own time limit is the only other way out. */
export async function quiet(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => void setImmediate(resolve))
}
