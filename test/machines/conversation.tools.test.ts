import { describe, expect, test } from 'vitest'
import type { ConversationEvent } from '../../machines/index.ts'
import {
  after,
  asked,
  called,
  calling,
  clock,
  failed,
  final,
  lamp,
  paused,
  played,
  speaking,
  started,
  textOver,
  timer,
  typed,
  unwanted,
} from '../support/conversation-events.ts'

const stopped: ConversationEvent = { type: 'SYSTEM_STOPPED' }
const outcomes = (events: readonly ConversationEvent[]) =>
  after(events).facts.flatMap((fact) =>
    typeof fact === 'object' && fact !== null && 'outcome' in fact && 'name' in fact ? [[fact.name, fact.outcome]] : [],
  )

describe.each([
  ['before a word of the reply', asked],
  ['while the reply is spoken', speaking],
])('functions called %s', (_, before) => {
  const running = [...before, calling('reply-1', clock, lamp)]

  test('each is told once, when its result is there', () => {
    const { facts, situation } = after([...running, called('reply-1', clock)])
    expect(facts.at(-1)).toEqual({
      type: 'TOOL_CALLED',
      conversationId: 'default',
      turnId: 'turn-1',
      replyId: 'reply-1',
      id: 'c1',
      name: 'clock',
      arguments: { zone: 'utc' },
      result: 'noon',
      outcome: 'done',
    })
    expect(situation.context.reply?.calls).toEqual([lamp])
    expect(outcomes([...running, called('reply-1', clock), called('reply-1', lamp), unwanted])).toEqual([
      ['clock', 'done'],
      ['lamp', 'done'],
    ])
  })

  test.each<[string, ConversationEvent]>([
    ['a barge-in', final(900, 'wait')],
    ['a stop word', final(900, 'stop')],
    ['typed words', typed],
    ['the program', unwanted],
    ['a stop', stopped],
  ])('%s ends those that run, and they are told before the ending', (_name, end) => {
    const { told } = after([...running, called('reply-1', clock), end])
    expect(outcomes([...running, called('reply-1', clock), end])).toEqual([
      ['clock', 'done'],
      ['lamp', 'aborted'],
    ])
    const at = told.indexOf('RESPONSE_INTERRUPTED')
    expect(told.slice(at - 2, at)).toEqual(['TOOL_CALLED', 'TOOL_CALLED'])
  })

  test('what another reply calls is nothing to this one', () => {
    const { situation, told } = after([...before, calling('reply-0', clock), called('reply-0', lamp)])
    expect([situation.context.reply?.calls, told]).toEqual([[], after(before).told])
  })
})

test('a reply that fails while functions run is told with them', () => {
  const early = [...asked, calling('reply-1', clock), failed('reply-1')]
  expect(outcomes(early)).toEqual([['clock', 'aborted']])
  expect(after(early).told.slice(-2)).toEqual(['TOOL_CALLED', 'ERROR_OCCURRED'])
  const late = [...speaking, calling('reply-1', clock), failed('reply-1'), played]
  expect(outcomes(late)).toEqual([['clock', 'aborted']])
  expect(after(late).told.slice(-2)).toEqual(['TOOL_CALLED', 'ERROR_OCCURRED'])
})

test('a pause leaves functions running', () => {
  const voice = [
    ...speaking,
    calling('reply-1', clock),
    started(100),
    timer('minDuration', 'responding.streaming.voiced'),
  ]
  const { situation, told } = after([...voice, paused, called('reply-1', clock), textOver('reply-1')])
  expect(told).toContain('TOOL_CALLED')
  expect(situation.context.reply?.calls).toEqual([])
})
