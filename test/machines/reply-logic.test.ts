import { createActor, fromCallback, sendTo, setup } from 'xstate'
import { describe, expect, test } from 'vitest'
import { notProvided } from '../../machines/not-provided.ts'
import type { ReplyLogic } from '../../machines/reply/logic.ts'
import type { ReplyCommand, ReplyInput, ReplyReport } from '../../machines/vocabulary.ts'

const input: ReplyInput = { conversationId: 'c1', replyId: 'r1', turnId: 't1', purpose: 'answer', text: 'hi' }
const reply: ReplyLogic = notProvided<ReplyCommand, ReplyInput>('reply')
const parent = setup({ types: { events: {} as ReplyReport | { type: 'COMMIT' } }, actors: { reply } }).createMachine({
  initial: 'waiting',
  states: {
    waiting: {
      invoke: { src: 'reply', id: 'r1', input, onError: 'broken' },
      on: { COMMIT: { actions: sendTo('r1', { type: 'REPLY_COMMITTED' }) }, REPLY_FAILED: 'failed' },
    },
    failed: {},
    broken: {},
  },
})

describe('the reply as an actor of a conversation', () => {
  test('a callback stands in for the reply chart without a cast', () => {
    const logic = fromCallback<ReplyCommand, ReplyInput>(({ receive, sendBack, input: told }) => {
      receive((command) => {
        const error = { code: 'internal', message: command.type, retryable: false } as const
        sendBack({ type: 'REPLY_FAILED', replyId: told.replyId, error } satisfies ReplyReport)
      })
    })
    const actor = createActor(parent.provide({ actors: { reply: logic } })).start()
    actor.send({ type: 'COMMIT' })
    expect(actor.getSnapshot().value).toBe('failed')
    actor.stop()
  })

  test('an actor that was not provided says so when it starts', () => {
    const actor = createActor(parent).start()
    expect(actor.getSnapshot().value).toBe('broken')
    actor.stop()
  })
})
