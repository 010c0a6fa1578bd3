import { createActor, waitFor } from 'xstate'
import { describe, expect, test } from 'vitest'
import { conversationInput, conversationMachine, type ConversationEmitted } from '../../machines/index.ts'
import { scriptedReply, type ReplyScript } from '../../src/testing/index.ts'

async function converse(script: string | ReplyScript, settled: 'idle' | 'error' | 'generating') {
  const machine = conversationMachine.provide({ actors: { reply: scriptedReply(script) } })
  const actor = createActor(machine, { input: conversationInput() })
  const told: ConversationEmitted[] = []
  actor.on('*', (fact) => told.push(fact))
  actor.start()
  actor.send({ type: 'SPEECH_DETECTED', text: 'hello' })
  const snapshot = await waitFor(actor, (now) => now.matches(settled))
  actor.stop()
  return { snapshot, told, types: told.map(({ type }) => type).filter((type) => type !== 'STATE_CHANGED') }
}

describe('the scripted reply', () => {
  test('a string is said as one segment', async () => {
    const { types, told } = await converse('Hi.', 'idle')
    expect(types).toEqual([
      'CALLER_TURN_ENDED',
      'RESPONSE_GENERATING',
      'RESPONSE_STARTED',
      'RESPONSE_GENERATED',
      'RESPONSE_SEGMENT',
      'RESPONSE_FINISHED',
    ])
    expect(told).toContainEqual(expect.objectContaining({ type: 'RESPONSE_GENERATED', text: 'Hi.' }))
  })

  test('several segments come one after the other', async () => {
    const { told } = await converse({ segments: ['One.', 'Two.'] }, 'idle')
    const segments = told.filter((fact) => fact.type === 'RESPONSE_SEGMENT')
    expect(segments.map(({ text, gap }) => [text, gap])).toEqual([
      ['One.', ''],
      ['Two.', ' '],
    ])
  })

  test('it fails as it is told', async () => {
    const { told } = await converse({ fail: { code: 'timeout', retryable: true } }, 'error')
    expect(told).toContainEqual(expect.objectContaining({ type: 'ERROR_OCCURRED', code: 'timeout' }))
  })

  test('one without an end leaves the conversation waiting', async () => {
    const { types } = await converse({ ends: false }, 'generating')
    expect(types).toEqual(['CALLER_TURN_ENDED', 'RESPONSE_GENERATING'])
  })
})
