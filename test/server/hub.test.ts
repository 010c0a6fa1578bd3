import { expect, test } from 'vitest'
import { createLlmService } from '../../src/index.ts'
import { createHub } from '../../src/server/hub.ts'
import { say, scriptedBackend } from '../support/scripted-backend.ts'
import { settlingClock } from '../support/settling-clock.ts'

test('the list of conversations is told when it changed, not when one of them is opened again', async () => {
  const clock = settlingClock()
  const service = createLlmService({ backend: scriptedBackend(clock, [say('Yes.')]), clock })
  const hub = createHub(service, clock)
  const told: unknown[] = []
  hub.onChange((lines) => told.push(lines))
  for (const time of ['first', 'second']) {
    hub
      .channel('kitchen')
      .watch(() => {})
      .unsubscribe()
    await clock.advance(1_000)
    expect(told, time).toEqual([[{ conversationId: 'kitchen', state: 'idle', turns: 0 }]])
  }
  const asked = service.conversation('kitchen').ask('Is it so?')
  await clock.advance(60_000)
  await asked
  expect(told.at(-1)).toEqual([{ conversationId: 'kitchen', state: 'idle', turns: 2 }])
  hub.close()
  await service.close()
})

test('a reply outside conversations opens none', async () => {
  const clock = settlingClock()
  const service = createLlmService({ backend: scriptedBackend(clock, [say('Yes.')]), clock })
  const hub = createHub(service, clock)
  const { result } = service.generate('Is it so?')
  await clock.advance(60_000)
  expect(await result).toMatchObject({ ok: true, text: 'Yes.' })
  expect(hub.lines()).toEqual([])
  hub.close()
  await service.close()
})
