import { initialTransition, transition, type SnapshotFrom } from 'xstate'
import { describe, expect, test } from 'vitest'
import {
  conversationInput,
  conversationMachine,
  type ConversationEvent,
  type PolicyChanges,
} from '../../machines/index.ts'

type Situation = SnapshotFrom<typeof conversationMachine>

/** Sends events one after the other, as a pure function; answers where that leads and what was told on the way. */
function after(events: readonly ConversationEvent[], policy: PolicyChanges = {}) {
  let [situation] = initialTransition(conversationMachine, conversationInput({ policy }))
  const told: string[] = []
  for (const event of events) {
    const [next, actions] = transition(conversationMachine, situation, event)
    situation = next
    for (const action of actions) told.push(...emitted(action))
  }
  return { situation, told: told.filter((type) => type !== 'STATE_CHANGED'), replies: repliesOf(situation) }
}

function emitted({ type, params }: { type: string; params?: unknown }): string[] {
  if (type !== 'xstate.emit' || typeof params !== 'object' || params === null || !('event' in params)) return []
  const { event } = params
  return typeof event === 'object' && event !== null && 'type' in event ? [String(event.type)] : []
}

const repliesOf = ({ children }: Situation) => Object.keys(children).filter((id) => id.startsWith('reply-'))

/** A timer of a state fires. XState's own events have no type to be named by; JSON has no types at all. */
const timer = (delay: string, state: string): ConversationEvent =>
  JSON.parse(JSON.stringify({ type: `xstate.after.${delay}.conversation.${state}` }))

const started = (atMs: number): ConversationEvent => ({ type: 'SPEECH_STARTED', atMs })
const partial = (atMs: number, text: string): ConversationEvent => ({ type: 'SPEECH_PARTIAL', text, atMs })
const final = (atMs: number, text: string): ConversationEvent => ({ type: 'SPEECH_DETECTED', text, atMs })
const ended = (atMs: number): ConversationEvent => ({ type: 'SPEECH_ENDED', atMs })
const segment = (replyId: string, index = 0): ConversationEvent => ({
  type: 'REPLY_SEGMENT',
  replyId,
  attempt: 1,
  segment: { replyId, index, text: 'Hi.', source: 'Hi.', gap: '' },
})
const textOver = (replyId: string): ConversationEvent => ({
  type: 'REPLY_ENDED',
  replyId,
  text: 'Hi.',
  model: 'm',
  backend: 'scripted',
  cached: false,
  fallback: false,
  usage: {},
  finishReason: 'stop',
})
const failed = (replyId: string): ConversationEvent => ({
  type: 'REPLY_FAILED',
  replyId,
  error: { code: 'timeout', message: 'too late', retryable: true },
})
const played: ConversationEvent = { type: 'PLAYBACK_FINISHED', index: 0 }
const paused: ConversationEvent = { type: 'PLAYBACK_PAUSED' }

const asked = [final(0, 'hello')]
const speaking = [...asked, segment('reply-1')]

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
    const typed: ConversationEvent = { type: 'CALLER_TYPED', text: 'hello', turnId: 'typed-1', atMs: 100 }
    expect(after([started(0), typed]).situation.context.reply?.turnId).toBe('typed-1')
  })

  test('REPLY_UNWANTED while listening forgets the turn', () => {
    expect(after([started(0), partial(100, 'hel'), { type: 'REPLY_UNWANTED' }]).situation.value).toBe('idle')
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

  test('an attempt of it that is given up is void', () => {
    const restarted: ConversationEvent = { type: 'REPLY_RESTARTED', replyId: 'reply-1', attempt: 2 }
    expect(after([...early, segment('reply-1'), restarted], policy).situation.context.speculation?.waiting).toEqual([])
  })
})

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
    ['typed words', { type: 'CALLER_TYPED', text: 'no', turnId: 'typed-1', atMs: 900 } satisfies ConversationEvent],
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

  test('a delay is told; a new attempt starts from an empty page', () => {
    const delayed: ConversationEvent = { type: 'REPLY_DELAYED', replyId: 'reply-1', reason: 'loading' }
    expect(after([...asked, delayed]).told).toContain('RESPONSE_DELAYED')
    const restarted: ConversationEvent = { type: 'REPLY_RESTARTED', replyId: 'reply-1', attempt: 2 }
    const held = after([...asked, started(5), segment('reply-1'), restarted])
    expect(held.situation.context.reply?.waiting).toEqual([])
  })

  test('a reply without a word finishes; one that fails is an error', () => {
    expect(after([...asked, textOver('reply-1')])).toMatchObject({ situation: { value: 'idle' }, replies: [] })
    const { situation, told, replies } = after([...asked, failed('reply-1')])
    expect([situation.value, told.at(-1), replies]).toEqual(['error', 'ERROR_OCCURRED', []])
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
    const { situation, told } = after([...pausedByVoice, event])
    expect(situation.value).toEqual({ responding: { streaming: 'quiet' } })
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
    ['typed words', { type: 'CALLER_TYPED', text: 'no', turnId: 't', atMs: 900 }, 'generating'],
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
      const announced: ConversationEvent = {
        type: 'ANNOUNCEMENT_MADE',
        text: 'Fire!',
        turnId: 'said-1',
        protected: true,
      }
      for (const said of [[], [segment('reply-1')]]) {
        const { situation, told } = after([announced, ...said, event])
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
      segment: { replyId: 'reply-1', index: 0, text: 'Hi.', source: 'Hi.', gap: '' },
    }
    expect(after([...speaking, handed]).told.at(-1)).toBe('RESPONSE_SEGMENT')
    expect(after([...speaking, segment('reply-1', 1)]).situation.context.reply?.cut).toBe(2)
    const delayed: ConversationEvent = { type: 'REPLY_DELAYED', replyId: 'reply-1', reason: 'tool' }
    expect(after([...speaking, delayed]).told.at(-1)).toBe('RESPONSE_DELAYED')
  })
})

describe('everywhere', () => {
  const error = [...asked, failed('reply-1')]

  test('an error passes by itself, or by the next speech', () => {
    expect(after([...error, timer('errorResetMs', 'error')]).situation.value).toBe('idle')
    expect(after([...error, started(10)]).situation.matches('detecting')).toBe(true)
    expect(after([...error, partial(10, 'again')]).situation.matches('detecting')).toBe(true)
    expect(after([...error, final(10, 'again')]).situation.matches('generating')).toBe(true)
    expect(after([...error, { type: 'CALLER_TYPED', text: 'a', turnId: 't' }]).situation.matches('generating')).toBe(
      true,
    )
  })

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
      turnId: 'said-1',
      protected: false,
    }
    expect(after([announced]).situation.matches('generating')).toBe(true)
    const { situation } = after([...speaking, announced, textOver('reply-1'), played])
    expect(situation.context.reply).toMatchObject({ turnId: 'said-1', purpose: 'say' })
  })

  test.each([[[]], [[started(0)]], [asked], [speaking], [error]])(
    'a stop is obeyed: %#',
    (events: ConversationEvent[]) => {
      const { situation } = after([...events, { type: 'SYSTEM_STOPPED' }])
      expect([situation.value, situation.status, Object.keys(situation.children)]).toEqual(['stopped', 'done', []])
    },
  )
})
