import { createLlmService } from '../../src/index.ts'
import { loopbackServer } from '../../src/testing/loopback-server.ts'

/** How long a server sees a connection open after its conversation was stopped: median, 99th percentile, longest. */
export async function measureStops(times: number): Promise<[p50: number, p99: number, max: number]> {
  const server = await loopbackServer({ replies: [{ hold: 'headers' }] })
  const service = createLlmService({ baseUrl: server.url, defaultModel: 'm1', fallback: { models: [] } })
  const took: number[] = []
  for (let index = 0; index < times; index++) {
    const conversation = service.conversation(`stop-${index}`)
    const outcome = conversation.ask('what time is it')
    await server.requested(index)
    const stoppedAtMs = performance.now()
    await conversation.stop()
    await outcome
    const { closedAtMs = Number.NaN } = await server.closed(index)
    took.push(closedAtMs - stoppedAtMs)
  }
  await service.close()
  await server.close()
  const sorted = took.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
  return [at(0.5), at(0.99), at(1)]
}
