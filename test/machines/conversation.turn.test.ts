import { transition } from 'xstate'
import { describe, expect, test } from 'vitest'
import { conversationMachine, type ConversationEvent } from '../../machines/index.ts'
import {
  after,
  asked,
  ended,
  failed,
  final,
  partial,
  segment,
  started,
  textOver,
  timer,
  typed,
  unwanted,
} from '../support/conversation-events.ts'

describe('endpointing', () => {
  test('a transcript without voice activity is committed at once', () => {
    const { situation, told, replies } = after(asked)
    expect(situation.value).toEqual({ generating: 'flowing' })
    expect(told).toEqual(['CALLER_TURN_ENDED', 'RESPONSE_GENERATING'])
    expect(replies).toEqual(['reply-1'])
  })

  test('with voice activity the delay after it is waited for', () => {
    const said = [started(0), final(500, 'hello'), ended(700)]
    expect(after(said).situation.value).toMatchObject({ detecting: { turn: 'waiting' } })
    const { situation } = after([...said, timer('endpointing', 'detecting.turn.waiting')])
    expect(situation.matches('generating')).toBe(true)
  })

  test('a cough is not a turn', () => {
    const { situation, told } = after([started(0), ended(100), timer('endpointing', 'detecting.turn.waiting')])
    expect([situation.value, told, situation.context.voice]).toEqual(['idle', [], null])
  })

  test('a partial alone is waited for, typed words are not', () => {
    expect(after([partial(0, 'hello')]).situation.value).toMatchObject({ detecting: { turn: 'waiting' } })
    expect(after([typed]).situation.context.reply?.turnId).toBe('turn-1')
  })

  test('blank transcripts are nothing', () => {
    expect(after([partial(0, ' '), final(10, '')]).situation.value).toBe('idle')
  })

  test('voice that resumes puts the wait off', () => {
    const { situation } = after([started(0), final(500, 'turn on'), ended(550), started(800)])
    expect(situation.value).toMatchObject({ detecting: { turn: 'hearing' } })
  })

  test('voice activity that never ends is taken as ended', () => {
    const { situation } = after([started(0), final(500, 'hello'), timer('maxOpenMs', 'detecting.turn.hearing')])
    expect(situation.value).toMatchObject({ detecting: { turn: 'waiting' } })
    expect(situation.context.voice?.endedAtMs).toBe(30_500)
  })

  test('a detector is asked before the wait, and a reply of it is no word of the caller', () => {
    const policy = { endpointing: { asksDetector: true } }
    const said = [started(0), final(500, 'hello'), ended(700)]
    expect(after(said, policy).situation.value).toMatchObject({ detecting: { turn: 'judging' } })
    const judged = after([...said, { type: 'ENDPOINT_PREDICTED', endOfTurn: 0.1 }], policy)
    expect(judged.situation.value).toMatchObject({ detecting: { turn: 'waiting' } })
    expect(judged.told).toEqual([])
  })

  test('typed words are complete as they stand, whoever speaks meanwhile', () => {
    expect(after([started(0), typed]).situation.context.reply?.turnId).toBe('turn-1')
  })

  test.each([
    [started(0)],
    [started(0), partial(100, 'hel')],
    [started(0), final(100, 'hello')],
    [started(0), final(100, 'hello'), ended(200)],
  ])('a program that wants no reply ends none while the caller has the word: %#', (...events) => {
    const before = after(events).situation
    const { situation, told } = after([...events, unwanted])
    expect([situation.value, situation.context, told]).toEqual([before.value, before.context, []])
  })
})

describe('speculation', () => {
  const policy = { speculation: { enabled: true } }
  const early = [started(0), partial(100, 'hello'), timer('stableMs', 'detecting.ahead.settling')]

  test('one whose reply breaks is never adopted', () => {
    const broken: ConversationEvent = { type: 'xstate.error.actor.reply-1', actorId: 'reply-1', error: new Error('x') }
    const { situation } = after([...early, broken], policy)
    expect(situation.value).toMatchObject({ detecting: { ahead: 'failed' } })
    expect(situation.context.speculation).toBeNull()
  })

  test('a stable partial starts a reply ahead, and nothing is told of it', () => {
    const { situation, told, replies } = after(early, policy)
    expect(situation.value).toMatchObject({ detecting: { ahead: 'running' } })
    expect([told, replies]).toEqual([[], ['reply-1']])
  })

  test('the same words adopt it: no second reply is started', () => {
    const commit = [final(400, 'Hello!'), ended(500), timer('endpointing', 'detecting.turn.waiting')]
    const { situation, told, replies } = after([...early, ...commit], policy)
    expect(situation.context.reply?.replyId).toBe('reply-1')
    expect([told, replies]).toEqual([['CALLER_TURN_ENDED', 'RESPONSE_GENERATING'], ['reply-1']])
  })

  test('what it said before is spoken once it is adopted', () => {
    const commit = [final(400, 'hello'), ended(500), timer('endpointing', 'detecting.turn.waiting')]
    const { situation, told } = after([...early, segment('reply-1'), textOver('reply-1'), ...commit], policy)
    expect(situation.matches('responding')).toBe(true)
    expect(told).toEqual(['CALLER_TURN_ENDED', 'RESPONSE_GENERATING', 'RESPONSE_GENERATED', 'RESPONSE_STARTED'])
  })

  test('other words end it at once', () => {
    const { situation, replies } = after([...early, partial(300, 'hello there')], policy)
    expect([situation.context.speculation, replies]).toEqual([null, []])
  })

  test('one that fails is not heard of, and new words may try again', () => {
    const broken = after([...early, failed('reply-1')], policy)
    expect(broken.situation.value).toMatchObject({ detecting: { ahead: 'failed' } })
    expect([broken.told, broken.replies]).toEqual([[], []])
    const again = after([...early, failed('reply-1'), partial(900, 'hello you')], policy)
    expect(again.situation.value).toMatchObject({ detecting: { ahead: 'settling' } })
  })

  test('after one that failed a final may try again as well', () => {
    const again = after([...early, failed('reply-1'), final(900, 'hello you')], policy)
    expect([again.situation.value, again.replies]).toMatchObject([{ detecting: { ahead: 'running' } }, ['reply-2']])
  })

  test('a final is stable as it is, whether a partial came before it or not', () => {
    for (const before of [[], [partial(100, 'hello')]]) {
      const { situation, replies } = after([started(0), ...before, final(300, 'hello')], policy)
      expect([situation.value, replies]).toMatchObject([{ detecting: { ahead: 'running' } }, ['reply-1']])
    }
  })

  test('every partial starts the wait for a stable one anew', () => {
    const { situation } = after([started(0), partial(100, 'hello')], policy)
    const [, actions] = transition(conversationMachine, situation, partial(200, 'hello there'))
    const settling = 'conversation.detecting.ahead.settling'
    expect(actions.filter(({ params }) => JSON.stringify(params).includes(settling)).map(({ type }) => type)).toEqual([
      'xstate.cancel',
      'xstate.raise',
    ])
  })

  test('an attempt of it that is given up is void', () => {
    const restarted: ConversationEvent = { type: 'REPLY_RESTARTED', replyId: 'reply-1', attempt: 2 }
    expect(after([...early, segment('reply-1'), restarted], policy).situation.context.speculation?.waiting).toEqual([])
  })
})
