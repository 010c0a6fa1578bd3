import { expect, test } from 'vitest'
import { LlmError, type ChatRequest } from '../../src/backends/contract.ts'
import { readAheadWith } from '../../src/generation/read-ahead.ts'
import { createSlots } from '../../src/generation/slots.ts'
import type { GenerationNote } from '../../src/generation/types.ts'
import { noConversation } from '../support/no-conversation.ts'
import { settlingClock } from '../support/settling-clock.ts'
import { scriptedBackend } from '../support/scripted-backend.ts'

const request: ChatRequest = { model: 'm1', messages: [] }

function desk(prewarm: (signal: AbortSignal) => Promise<void>) {
  const slots = createSlots({ slots: 1, queue: 4 })
  const notes: GenerationNote[] = []
  const ahead = readAheadWith(
    () => slots,
    (note) => notes.push(note),
  )
  const backend = {
    ...scriptedBackend(settlingClock(), []),
    prewarm: async (_: ChatRequest, s: AbortSignal) => prewarm(s),
  }
  return { slots, notes, ahead, read: () => ahead.read(noConversation, backend, request) }
}
const settle = () => new Promise((resolve) => setImmediate(resolve))
const forEver = (signal: AbortSignal) =>
  new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

test('a reply takes the slot back at once', async () => {
  const { slots, read, notes } = desk(forEver)
  read()
  expect(slots.spare).toBe(0)
  let granted = false
  slots.enter({ owner: 'c2', priority: 'reply', granted: () => (granted = true), revoked() {} })
  expect(granted).toBe(true)
  await settle()
  expect(notes).toEqual([])
})

test('nothing is read ahead where no slot is spare', () => {
  let reads = 0
  const { slots, read } = desk(async () => {
    reads++
  })
  slots.enter({ owner: 'c2', priority: 'reply', granted() {}, revoked() {} })
  read()
  expect(reads).toBe(0)
})

test('a server that fails at it is no news, a mistake of ours is', async () => {
  const busy = desk(async () => Promise.reject(new LlmError('overloaded', { message: 'busy' })))
  busy.read()
  const broken = desk(async () => Promise.reject(new TypeError('oops')))
  broken.read()
  await settle()
  expect(busy.notes).toEqual([])
  expect(broken.notes.map(({ code }) => code)).toEqual(['internal'])
  expect([busy.slots.spare, broken.slots.spare]).toEqual([1, 1])
})

test('closing ends what is being read', async () => {
  const { slots, read, ahead } = desk(forEver)
  read()
  ahead.close()
  await settle()
  expect(slots.spare).toBe(1)
})
