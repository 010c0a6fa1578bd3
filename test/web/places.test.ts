import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { createPlaces } from '../../src/web/places.ts'
import { handClock } from '../support/hand-clock.ts'

function somePlaces(limits = { sockets: 2, waiting: 2 }) {
  const clock = handClock()
  const places = createPlaces(limits, clock)
  const newcomer = (ms = 100) => {
    const socket = new PassThrough()
    places.wait(socket, ms)
    return socket
  }
  return { clock, places, newcomer }
}

test('whoever waits too long is cut, and a wait begun anew counts from then on', () => {
  const { clock, places, newcomer } = somePlaces()
  const [silent, busy] = [newcomer(), newcomer()]
  clock.advance(60)
  places.wait(busy, 100)
  clock.advance(60)
  expect([silent.destroyed, busy.destroyed]).toEqual([true, false])
  clock.advance(60)
  expect(busy.destroyed).toBe(true)
  expect(clock.pending()).toBe(0)
})

test('what lies in a socket when its time is over is read before it is cut', () => {
  const { clock, places, newcomer } = somePlaces()
  const socket = newcomer(100)
  // As after a stall: all of it is due at once, and the socket is read behind the timers.
  clock.schedule(() => places.take(socket), 100)
  clock.advance(500)
  expect(socket.destroyed).toBe(false)
})

test('one too many: the one that has waited longest is cut, by what its owner does', () => {
  const { places, newcomer } = somePlaces()
  const first = newcomer()
  const second = newcomer()
  const words: string[] = []
  places.wait(first, 100, () => words.push('first, say hello'))
  const third = newcomer()
  expect([first.destroyed, second.destroyed, third.destroyed]).toEqual([false, true, false])
  newcomer()
  expect(words).toEqual(['first, say hello'])
})

test('those who are served wait for nothing, until the last of what they asked is over', () => {
  const { clock, places, newcomer } = somePlaces()
  const socket = newcomer()
  const [one, other] = [places.take(socket), places.take(socket)]
  expect(places.areTaken).toBe(true)
  clock.advance(200)
  expect(places.take(newcomer())).toBeUndefined()
  places.wait(socket, 100)
  one?.()
  // A second time it is nobody's.
  one?.()
  places.wait(socket, 100)
  clock.advance(200)
  expect(socket.destroyed).toBe(false)
  other?.()
  expect(places.areTaken).toBe(false)
  places.wait(socket, 100)
  clock.advance(100)
  expect(socket.destroyed).toBe(true)
})

test('whoever has gone leaves nothing behind', async () => {
  const { clock, places, newcomer } = somePlaces()
  const socket = newcomer()
  const gone = new Promise((resolve) => socket.once('close', resolve))
  socket.destroy()
  await gone
  places.wait(socket, 100)
  newcomer()
  expect(clock.pending()).toBe(1)
  places.close()
  expect(clock.pending()).toBe(0)
})
