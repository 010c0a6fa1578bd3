import { expect, it } from 'vitest'
import { createLlmService } from '../../src/index.ts'
import { loopbackServer } from '../../src/testing/index.ts'

it('an inspector sees all four charts, also of a reply outside conversations, and no key', async () => {
  const server = await loopbackServer({ apiKey: 'sk-planted-0123456789' })
  const seen: unknown[] = []
  const names = new Set<string>()
  const service = createLlmService({
    baseUrl: server.url,
    apiKey: 'sk-planted-0123456789',
    inspect(event) {
      if (event.type === '@xstate.actor' && 'id' in event.actorRef) names.add(String(event.actorRef.id))
      if (event.type === '@xstate.snapshot') seen.push(event.snapshot, event.event)
    },
  })
  expect(await service.chat('hello')).toBe('Hello.')
  await service.conversation().ask('hello')
  expect([...names]).toEqual(
    expect.arrayContaining(['single-1', 'default', 'reply-1', `breaker ${server.url} m1`, `detection ${server.url}`]),
  )
  expect(JSON.stringify(seen)).not.toContain('sk-planted')
  await service.close()
  await server.close()
})
