import { transition } from 'xstate'
import { describe, expect, test } from 'vitest'
import { conversationMachine, type ConversationEvent } from '../../machines/index.ts'
import {
  after,
  asked,
  failed,
  final,
  partial,
  played,
  speaking,
  started,
  textOver,
  timer,
} from '../support/conversation-events.ts'

describe('everywhere', () => {
  const error = [...asked, failed('reply-1')]

  test('ids go on from where an earlier run left them', () => {
    const { situation } = after([{ type: 'CONVERSATION_RESUMED', turns: 4, replies: 6 }, ...asked])
    expect(situation.context.reply).toMatchObject({ turnId: 'turn-5', replyId: 'reply-7' })
  })

  test('an error passes by itself, or by the next speech', () => {
    expect(after([...error, timer('errorResetMs', 'error')]).situation.value).toBe('idle')
    expect(after([...error, started(10)]).situation.matches('detecting')).toBe(true)
    expect(after([...error, partial(10, 'again')]).situation.matches('detecting')).toBe(true)
    expect(after([...error, final(10, 'again')]).situation.matches('generating')).toBe(true)
    expect(after([...error, { type: 'CALLER_TYPED', text: 'a' }]).situation.matches('generating')).toBe(true)
  })

  test('an error with the caller speaking is left at once', () => {
    const { situation, told } = after([...asked, started(10), failed('reply-1')])
    expect([situation.matches('detecting'), told.at(-1)]).toEqual([true, 'ERROR_OCCURRED'])
  })

  test('what breaks beside the reply breaks nothing else', () => {
    const broken: ConversationEvent = { type: 'xstate.error.actor.lookout', actorId: 'lookout', error: new Error('x') }
    for (const events of [[started(0)], asked, speaking, error]) {
      const { situation } = after([...events, broken])
      expect([situation.status, situation.value]).toEqual(['active', after(events).situation.value])
    }
  })

  test.each([[[]], [[started(0)]], [asked], [speaking], [error]])(
    'an empty transcript changes nothing: %#',
    (events: ConversationEvent[]) => {
      const { situation } = after(events)
      for (const empty of [partial(900, ' '), final(900, '')]) {
        const [next] = transition(conversationMachine, situation, empty)
        expect([next.value, next.context]).toEqual([situation.value, situation.context])
      }
    },
  )

  test('ambient speech is answered when it names the assistant, else it is told as ignored', () => {
    const said = (text: string): ConversationEvent => ({ type: 'AMBIENT_SPEECH_DETECTED', text })
    const policy = { assistantNames: ['jarvis'] }
    expect(after([said('hey Jarvis, hello')], policy).situation.matches('generating')).toBe(true)
    expect(after([said('what a game')], policy)).toMatchObject({
      situation: { value: 'idle' },
      told: ['AMBIENT_SPEECH_IGNORED'],
    })
    expect(after([said(' ')], policy).told).toEqual([])
  })

  test('an announcement waits until nobody speaks', () => {
    const announced: ConversationEvent = {
      type: 'ANNOUNCEMENT_MADE',
      text: 'Dinner.',
      protected: false,
    }
    expect(after([announced]).situation.matches('generating')).toBe(true)
    const { situation } = after([...speaking, announced, textOver('reply-1'), played])
    expect(situation.context.reply).toMatchObject({ turnId: 'turn-2', purpose: 'say' })
  })

  test.each([[[]], [[started(0)]], [asked], [speaking], [error]])(
    'a stop is obeyed: %#',
    (events: ConversationEvent[]) => {
      const { situation } = after([...events, { type: 'SYSTEM_STOPPED' }])
      expect([situation.value, situation.status, Object.keys(situation.children)]).toEqual(['stopped', 'done', []])
    },
  )
})
