import { describe, expect, test } from 'vitest'
import { type ConversationEvent } from '../../machines/index.ts'
import { aSegment } from '../support/a-segment.ts'
import {
  after,
  asked,
  ended,
  failed,
  final,
  partial,
  paused,
  played,
  repliesOf,
  segment,
  speaking,
  started,
  textOver,
  timer,
  typeOf,
  typed,
  unwanted,
} from '../support/conversation-events.ts'

describe('generating', () => {
  test('voice holds the text back, and its end lets it go', () => {
    const held = after([...asked, started(10), segment('reply-1')])
    expect(held.situation.value).toEqual({ generating: { held: { voiced: 'brief' } } })
    expect(after([...asked, started(10), segment('reply-1'), ended(100)]).situation.matches('responding')).toBe(true)
  })

  test('voice of some length is waited out after its end', () => {
    const long = [
      ...asked,
      started(10),
      timer('minDuration', 'generating.held.voiced.brief'),
      segment('reply-1'),
      ended(900),
    ]
    expect(after(long).situation.value).toEqual({ generating: { held: 'settling' } })
    expect(after([...long, started(1_000)]).situation.value).toMatchObject({
      generating: { held: { voiced: 'sustained' } },
    })
    const released = after([...long, timer('falseAfterMs', 'generating.held.settling')])
    expect(released.situation.matches('responding')).toBe(true)
  })

  test('text is not held for ever, and the voice that is open then pauses nothing', () => {
    const { situation } = after([
      ...asked,
      started(10),
      segment('reply-1'),
      timer('longestHold', 'generating.held.voiced'),
    ])
    expect(situation.value).toEqual({ responding: { streaming: 'quiet' } })
  })

  test.each([
    ['a partial', partial(900, 'no wait')],
    ['a final', final(900, 'no wait')],
    ['a stop word', final(900, 'stop')],
    ['typed words', { type: 'CALLER_TYPED', text: 'no', atMs: 900 } satisfies ConversationEvent],
    ['the program', { type: 'REPLY_UNWANTED', atMs: 900 } satisfies ConversationEvent],
  ])('%s ends the reply', (_, event) => {
    const { situation, told } = after([...asked, event])
    expect(told).toContain('RESPONSE_INTERRUPTED')
    expect(repliesOf(situation)).not.toContain('reply-1')
  })

  test.each([partial(10, 'mm-hmm'), final(10, 'mm-hmm')])('a backchannel releases held text: %o', (event) => {
    const { situation, told } = after([...asked, started(5), segment('reply-1'), event])
    expect(situation.matches('responding')).toBe(true)
    expect(told).toContain('BACKCHANNEL_HEARD')
  })

  describe('with a store', () => {
    const policy = { store: { keepsTurns: true } }
    const stored = (durable: boolean, turnId = 'turn-1'): ConversationEvent => ({
      type: 'TURN_STORED',
      turnId,
      durable,
    })
    const waiting = [...asked, segment('reply-1')]

    test('the first segment waits until the words that it answers are durable', () => {
      expect(after(waiting, policy).situation.value).toEqual({ generating: 'storing' })
      expect(after([...waiting, stored(true, 'turn-0')], policy).situation.value).toEqual({ generating: 'storing' })
      for (const durable of [true, false]) {
        const { situation, facts } = after([...waiting, stored(durable)], policy)
        expect(situation.matches('responding')).toBe(true)
        expect(facts.at(-1)).toMatchObject({ type: 'RESPONSE_STARTED', durable })
      }
      expect(after([...asked, stored(true), segment('reply-1')], policy).situation.matches('responding')).toBe(true)
    })

    test('it waits for a moment and no longer', () => {
      const { situation, facts } = after([...waiting, timer('storeCommitMs', 'generating.storing')], policy)
      expect(situation.matches('responding')).toBe(true)
      expect(facts.at(-1)).toMatchObject({ type: 'RESPONSE_STARTED', durable: false })
    })

    test('voice that begins meanwhile is judged, and a new attempt starts from an empty page', () => {
      expect(after([...waiting, started(10)], policy).situation.value).toMatchObject({ generating: { held: {} } })
      const restarted: ConversationEvent = { type: 'REPLY_RESTARTED', replyId: 'reply-1', attempt: 2 }
      expect(after([...waiting, restarted], policy).situation.value).toEqual({ generating: 'flowing' })
    })

    test('it waits once: noises and new attempts do not make the wait longer, and late is durable all the same', () => {
      const restarted: ConversationEvent = { type: 'REPLY_RESTARTED', replyId: 'reply-1', attempt: 2 }
      for (const pause of [[started(10), ended(20)], [partial(10, 'mm-hmm')], [restarted, segment('reply-1')]]) {
        const { facts } = after([...waiting, ...pause], policy)
        expect(facts.findLast((fact) => typeOf(fact) === 'RESPONSE_STARTED')).toMatchObject({ durable: false })
      }
      const { facts } = after([...waiting, started(10), stored(true), ended(20)], policy)
      expect(facts.at(-1)).toMatchObject({ type: 'RESPONSE_STARTED', durable: true })
    })

    test('voice that ends meanwhile and brought no words is forgotten', () => {
      const protecting = { ...policy, interruption: { enabled: false } }
      const { situation } = after([...waiting, started(10), ended(20), stored(true), textOver('reply-1')], protecting)
      expect(situation.context.voice).toBeNull()
    })

    test('without words of the caller there is nothing to wait for, and without a store nobody says durable', () => {
      const { situation, facts } = after([announced, segment('reply-1')], policy)
      expect(situation.matches('responding')).toBe(true)
      expect(facts.at(-1)).not.toHaveProperty('durable')
      expect(after(waiting).facts.at(-1)).not.toHaveProperty('durable')
    })

    test('a speculation waits as well once it is adopted', () => {
      const speculated = { ...policy, speculation: { enabled: true } }
      const ahead = [started(0), final(100, 'hello'), segment('reply-1')]
      const adopted = [...ahead, ended(200), timer('endpointing', 'detecting.turn.waiting')]
      const { situation } = after(adopted, speculated)
      expect([situation.value, situation.context.reply?.replyId]).toEqual([{ generating: 'storing' }, 'reply-1'])
    })
  })

  test('a delay is told; a new attempt starts from an empty page', () => {
    const delayed: ConversationEvent = { type: 'REPLY_DELAYED', replyId: 'reply-1', reason: 'loading' }
    expect(after([...asked, delayed]).told).toContain('RESPONSE_DELAYED')
    const restarted: ConversationEvent = { type: 'REPLY_RESTARTED', replyId: 'reply-1', attempt: 2 }
    const held = after([...asked, started(5), segment('reply-1'), restarted])
    expect(held.situation.context.reply?.waiting).toEqual([])
  })

  test('a reply without a word leaves the floor to a caller who speaks or has spoken', () => {
    const policy = { interruption: { enabled: false } }
    const speaks = after([...asked, started(10), textOver('reply-1')], policy)
    expect([speaks.situation.matches('detecting'), speaks.told.at(-1)]).toEqual([true, 'RESPONSE_FINISHED'])
    expect(after([...asked, final(900, 'and you'), textOver('reply-1')], policy).replies).toEqual(['reply-2'])
  })

  test('a reply without a word finishes; one that fails is an error', () => {
    expect(after([...asked, textOver('reply-1')])).toMatchObject({ situation: { value: 'idle' }, replies: [] })
    const { situation, told, replies } = after([...asked, failed('reply-1')])
    expect([situation.value, told.at(-1), replies]).toEqual(['error', 'ERROR_OCCURRED', []])
  })
})

/** An announcement that may not be interrupted: before its first words, and while it is spoken. */
const announced: ConversationEvent = { type: 'ANNOUNCEMENT_MADE', text: 'Fire!', protected: true, asker: 'asker-2' }
const protectedSpeech = [[announced], [announced, segment('reply-1')]]

describe('while a reply is made or spoken', () => {
  test.each([asked, speaking])('a stop word counts, however many words an interruption needs: %#', (...events) => {
    const policy = { interruption: { minWords: 3 } }
    for (const word of [partial(900, 'stop'), final(900, 'stop')]) {
      expect(after([...events, word], policy).told.at(-1)).toBe('RESPONSE_INTERRUPTED')
    }
    for (const word of [partial(900, 'but'), final(900, 'but')]) {
      const { told, situation } = after([...events, word], policy)
      expect(told).not.toContain('RESPONSE_INTERRUPTED')
      expect([situation.context.said.partial, ...situation.context.said.finals]).toContain('but')
    }
  })

  test.each([asked, speaking])(
    'a caller who speaks keeps the turn when the program ends the reply: %#',
    (...events) => {
      const { situation, told } = after([...events, started(800), unwanted])
      expect([situation.matches('detecting'), told.at(-1)]).toEqual([true, 'RESPONSE_INTERRUPTED'])
      expect(after([...events, unwanted]).situation.value).toBe('idle')
    },
  )

  test.each(protectedSpeech)('words typed into protected speech are answered afterwards: %#', (...events) => {
    const { situation, told, replies } = after([...events, typed])
    expect([situation.context.said.isTyped, replies]).toEqual([true, ['reply-1']])
    expect(told).not.toContain('RESPONSE_INTERRUPTED')
    const over = after([...events, typed, textOver('reply-1'), ...(events.length > 1 ? [played] : [])])
    expect(over.situation.context.reply?.turnId).toBe('turn-2')
  })

  test('voice that was let pass and brought no words is forgotten at its end', () => {
    const passed = [...asked, started(10), timer('longestHold', 'generating.held.voiced')]
    for (const reply of [[], [segment('reply-1')], [segment('reply-1'), textOver('reply-1')]]) {
      const { situation } = after([...passed, ...reply])
      expect(situation.context.voice?.endedAtMs).toBeNull()
      expect(after([...passed, ...reply, ended(9_000)]).situation.context.voice).toBeNull()
    }
  })
})

describe('responding', () => {
  test('the reply has finished when its text is over and all of it is played', () => {
    expect(after([...speaking, played]).situation.value).toEqual({ responding: { streaming: 'quiet' } })
    expect(after([...speaking, textOver('reply-1')]).situation.value).toEqual({ responding: { draining: 'quiet' } })
    for (const order of [
      [played, textOver('reply-1')],
      [textOver('reply-1'), played],
    ]) {
      const { situation, told } = after([...speaking, ...order])
      expect([situation.value, told.at(-1)]).toEqual(['idle', 'RESPONSE_FINISHED'])
    }
  })

  test.each(['streaming', 'draining'])('voice of some length asks for a pause while %s', (state) => {
    const text = state === 'draining' ? [textOver('reply-1')] : []
    const voiced = [...speaking, ...text, started(10)]
    expect(after(voiced).situation.value).toEqual({ responding: { [state]: 'voiced' } })
    expect(after([...voiced, ended(100)]).situation.value).toEqual({ responding: { [state]: 'quiet' } })
    const doubted = [...voiced, timer('minDuration', `responding.${state}.voiced`)]
    expect(after(doubted).situation.value).toEqual({ responding: { [state]: 'doubted' } })
    expect(after([...doubted, ended(900)]).situation.value).toEqual({ responding: { [state]: 'quiet' } })
    expect(after([...doubted, paused]).situation.value).toEqual({ responding: { paused: 'voiced' } })
  })

  const pausedByVoice = [...speaking, started(10), timer('minDuration', 'responding.streaming.voiced'), paused]

  test('a paused sink resumes when nothing was said', () => {
    const settling = [...pausedByVoice, ended(900)]
    expect(after(settling).situation.value).toEqual({ responding: { paused: 'settling' } })
    expect(after([...settling, started(1_000)]).situation.value).toEqual({ responding: { paused: 'voiced' } })
    const resumed = after([...settling, timer('falseAfterMs', 'responding.paused.settling')])
    expect([resumed.situation.value, resumed.situation.context.voice]).toEqual([
      { responding: { streaming: 'quiet' } },
      null,
    ])
  })

  test('voice that never ends does not pause it for ever', () => {
    const { situation } = after([...pausedByVoice, timer('maxOpenMs', 'responding.paused.voiced')])
    expect(situation.value).toEqual({ responding: { paused: 'settling' } })
  })

  test.each([partial(900, 'yeah'), final(900, 'yeah')])('a backchannel resumes it at once: %o', (event) => {
    const { situation, told, sent } = after([...pausedByVoice, event])
    expect([situation.value, sent.at(-1)]).toEqual([{ responding: { streaming: 'quiet' } }, 'PLAYBACK_RESUME_WANTED'])
    expect(told).toContain('BACKCHANNEL_HEARD')
    expect(told).not.toContain('RESPONSE_INTERRUPTED')
  })

  test.each([partial(900, 'yeah'), final(900, 'yeah')])('a backchannel into speech is only noted: %o', (event) => {
    const { situation, told } = after([...speaking, event])
    expect([situation.value, told.at(-1)]).toEqual([{ responding: { streaming: 'quiet' } }, 'BACKCHANNEL_HEARD'])
  })

  test.each([
    ['a partial', partial(900, 'no wait'), 'detecting'],
    ['a final', final(900, 'no wait'), 'generating'],
    ['a stop word', final(900, 'be quiet'), 'idle'],
    ['typed words', { type: 'CALLER_TYPED', text: 'no', atMs: 900 }, 'generating'],
    ['the program', { type: 'REPLY_UNWANTED', atMs: 900 }, 'idle'],
    ['a sink that fails', { type: 'PLAYBACK_FAILED', error: { code: 'sink', message: 'x', retryable: true } }, 'error'],
    ['a player that breaks', { type: 'xstate.error.actor.player', actorId: 'player', error: new Error('x') }, 'error'],
  ] satisfies [string, ConversationEvent, string][])('%s ends it', (_, event, state) => {
    const { situation, replies } = after([...speaking, event])
    expect(Object.keys(typeof situation.value === 'string' ? { [situation.value]: 0 } : situation.value)).toEqual([
      state,
    ])
    expect(replies).not.toContain('reply-1')
    expect(Object.keys(situation.children)).not.toContain('player')
  })

  test.each([partial(900, 'no wait'), final(900, 'no wait')])(
    'protected speech is not interrupted, the words stay: %o',
    (event) => {
      for (const events of protectedSpeech) {
        const { situation, told } = after([...events, event])
        expect(told).not.toContain('RESPONSE_INTERRUPTED')
        expect(situation.context.said).not.toEqual(after([]).situation.context.said)
      }
    },
  )

  test('a failure is told once what the sink has is played out', () => {
    expect(after([...speaking, failed('reply-1')]).situation.value).toEqual({ responding: { draining: 'quiet' } })
    const { situation, told } = after([...speaking, failed('reply-1'), played])
    expect([situation.value, told.at(-1)]).toEqual(['error', 'ERROR_OCCURRED'])
  })

  test('words said meanwhile that do not interrupt are heard after it', () => {
    const policy = { interruption: { enabled: false } }
    const { situation, told } = after(
      [...speaking, started(10), final(800, 'and you'), textOver('reply-1'), played],
      policy,
    )
    expect([situation.matches('detecting'), told.at(-1)]).toEqual([true, 'RESPONSE_FINISHED'])
  })

  test('segments handed over are told, and more text is forwarded', () => {
    const handed: ConversationEvent = {
      type: 'PLAYBACK_HANDED',
      segment: { ...aSegment, replyId: 'reply-1' },
    }
    expect(after([...speaking, handed]).told.at(-1)).toBe('RESPONSE_SEGMENT')
    expect(after([...speaking, segment('reply-1', 1)]).situation.context.reply?.cut).toBe(2)
    const delayed: ConversationEvent = { type: 'REPLY_DELAYED', replyId: 'reply-1', reason: 'tool' }
    expect(after([...speaking, delayed]).told.at(-1)).toBe('RESPONSE_DELAYED')
  })
})
