import { once } from 'node:events'
import { expect, test } from 'vitest'
import { handClock } from '../support/hand-clock.ts'
import { serveScript } from './serve-script.ts'
import { connect } from './wire-test-client.ts'

test('who says no hello within five seconds is let go', async () => {
  const clock = handClock()
  const served = await serveScript([], { clock })
  const silent = await connect(served.server, { hello: null })
  const polite = await connect(served.server)
  await polite.next('hello')
  clock.advance(5_000)
  expect(await silent.closed).toBe(4408)
  expect(polite.socket.readyState).toBe(polite.socket.OPEN)
  await polite.close()
  await served.close()
  expect(clock.pending()).toBe(0)
})

test('who answers no ping is gone by the next; who answers stays', async () => {
  const clock = handClock()
  const served = await serveScript([], { clock })
  const dead = await connect(served.server, { autoPong: false })
  const alive = await connect(served.server)
  await Promise.all([dead.next('hello'), alive.next('hello')])
  const pinged = once(alive.socket, 'ping')
  clock.advance(30_000)
  await pinged
  // The pong is on its way: what is said after it arrives after it.
  alive.say({ type: 'open' })
  await alive.next('conversation')
  clock.advance(30_000)
  await dead.closed
  expect(alive.socket.readyState).toBe(alive.socket.OPEN)
  await alive.close()
  await served.close()
  expect(clock.pending()).toBe(0)
})
