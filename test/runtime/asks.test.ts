import { describe, expect, it } from 'vitest'
import type { ServiceEvent } from '../../machines/vocabulary.ts'
import type { TurnOutcome } from '../../src/conversations/turn/outcome.ts'
import { scriptedStore } from '../../src/testing/index.ts'
import { talk } from './harness.ts'

/** Notes how each promise is settled; what is never settled stays `pending`. */
function asker() {
  const settled = new Map<string, string>()
  const turns = new Map<string, string | undefined>()
  return {
    settled: () => [...settled.values()],
    turns,
    note(text: string, outcome: Promise<TurnOutcome>) {
      settled.set(text, 'pending')
      outcome.then(
        ({ ending, turnId }) => {
          settled.set(text, ending)
          turns.set(text, turnId)
        },
        (error: unknown) => settled.set(text, String(error)),
      )
    },
  }
}

const userTexts = (history: readonly { role: string; text: string }[]) =>
  history.filter(({ role }) => role === 'user').map(({ text }) => text)

const moments: ServiceEvent['type'][] = [
  'CALLER_TURN_ENDED',
  'RESPONSE_GENERATING',
  'STATE_CHANGED',
  'RESPONSE_STARTED',
  'RESPONSE_SEGMENT',
  'RESPONSE_GENERATED',
  'RESPONSE_FINISHED',
  'RESPONSE_INTERRUPTED',
  'ERROR_OCCURRED',
]
const modes = [
  { enabled: true, isProtected: false },
  { enabled: true, isProtected: true },
  { enabled: false, isProtected: false },
]

describe.each(moments)('asked in a handler of %s', (moment) => {
  describe.each(modes)('interruption $enabled, protected speech $isProtected', ({ enabled, isProtected }) => {
    it.each(['twice', 'by two subscribers', 'and interrupted', 'and said', 'and stopped', 'and closed'])(
      '%s: everybody gets an outcome, and no words are lost',
      async (how) => {
        const fault = moment === 'ERROR_OCCURRED' ? ({ kind: 'http', status: 400 } as const) : undefined
        const { clock, conversation, service } = talk({
          backend: { replies: [{ text: 'It is noon. Time for lunch.', fault }, { text: 'Yes.' }] },
          options: { interruption: { enabled }, fallback: { models: [] }, defaultModel: 'm1' },
        })
        const { note, settled, turns } = asker()
        const ask = (text: string) => note(text, conversation.ask(text))
        const once = (react: () => void) => {
          let isDone = false
          conversation.events.subscribe(({ type }) => {
            if (type !== moment || isDone) return
            isDone = true
            react()
          })
        }
        const asks = ['first', 'second']
        if (how === 'by two subscribers') asks.forEach((text) => once(() => ask(text)))
        else
          once(() => {
            asks.forEach(ask)
            if (how === 'and interrupted') conversation.interrupt()
            if (how === 'and said') note('said', conversation.say('The door bell rang.', { protected: isProtected }))
            if (how === 'and stopped') void conversation.stop()
            if (how === 'and closed') void service.close()
          })
        if (isProtected) note('announced', conversation.say('Please leave the house now.', { protected: true }))
        ask('start')
        await clock.advanceTo(200)
        if (moment === 'RESPONSE_INTERRUPTED') conversation.interrupt()
        await clock.runUntilIdle()
        expect(settled()).not.toContain('pending')
        expect(settled().filter((ending) => !/^(?:finished|interrupted|failed)$/u.test(ending))).toEqual([])
        const isOver = how === 'and stopped' || how === 'and closed'
        const words = userTexts(conversation.history).join(' ')
        if (!isOver) expect(words.split(' ').toSorted()).toEqual(['first', 'second', 'start'])
        // Whoever is told of a turn is told of the one that has the words.
        for (const [text, turnId] of turns) {
          if (text === 'said' || text === 'announced' || turnId === undefined) continue
          expect(conversation.history.find((turn) => turn.turnId === turnId)?.text).toContain(text)
        }
        await service.close()
        expect(clock.pending).toBe(0)
      },
    )
  })
})

describe('whoever asks gets an outcome', () => {
  it('of one turn, where the words were answered together', async () => {
    const { clock, conversation, of, service } = talk({ backend: { replies: [{ text: 'Yes.' }] } })
    void conversation.say('Please leave the house.', { protected: true })
    const [one, other] = [conversation.ask('is it a drill'), conversation.ask('really')]
    await clock.runUntilIdle()
    expect(await one).toMatchObject({ turnId: 'turn-2', ending: 'finished', heard: 'Yes.' })
    expect(await other).toEqual(await one)
    expect(of('CALLER_TURN_ENDED')).toMatchObject([{ turnId: 'turn-2', text: 'is it a drill really' }])
    await service.close()
  })

  it('where the words join what the caller was saying', async () => {
    const { clock, conversation, caller, service } = talk({ backend: { replies: [{ text: 'Yes.' }] } })
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'tell me' })
    const outcome = conversation.ask('the time')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ turnId: 'turn-1', ending: 'finished' })
    expect(userTexts(conversation.history)).toEqual(['tell me the time'])
    await service.close()
  })

  it('where a reply was begun ahead for the same words', async () => {
    const { clock, conversation, caller, backend, service } = talk({
      options: { speculation: { enabled: true } },
      backend: { replies: [{ text: 'Yes.' }] },
    })
    void conversation.say('Please leave the house now.', { protected: true })
    await clock.advanceTo(100)
    caller.next({ type: 'SPEECH_STARTED' })
    const outcome = conversation.ask('is it a drill')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished', heard: 'Yes.' })
    expect(backend.requests).toHaveLength(1)
    await service.close()
  })

  it('of words that are a stop word, with nothing to stop', async () => {
    const { clock, conversation, service } = talk({ backend: { replies: [{ text: 'Fine.' }] } })
    const outcome = conversation.ask('stop')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished', heard: 'Fine.' })
    await service.close()
  })

  it('of words without a letter', async () => {
    const { clock, conversation, service } = talk({ backend: { replies: [{ text: 'Fine.' }] } })
    const outcome = conversation.ask('…?!')
    await clock.runUntilIdle()
    expect((await outcome).ending).toBe('finished')
    await service.close()
  })

  it.each([undefined, null, 7, {}])('a rejection for what is no text: %s', async (text) => {
    const { conversation, service } = talk()
    // @ts-expect-error a program written in JavaScript may give anything
    await expect(conversation.ask(text)).rejects.toMatchObject({ code: 'bad-input' })
    // @ts-expect-error the same
    await expect(conversation.say(text)).rejects.toMatchObject({ code: 'bad-input' })
    await service.close()
  })

  it.each(['stop', 'close'] as const)('of announcements that wait when it ends by %s', async (how) => {
    const { clock, conversation, service } = talk()
    const said = ['One.', 'Two.', 'Three.'].map((text) => conversation.say(text, { protected: true }))
    await clock.advanceTo(200)
    await (how === 'stop' ? conversation.stop() : service.close())
    const outcomes = await Promise.all(said)
    expect(outcomes.map(({ ending, turnId }) => [ending, turnId])).toEqual([
      ['interrupted', 'turn-1'],
      ...Array<unknown>(2).fill(['interrupted', undefined]),
    ])
    if (how === 'close') {
      const late = [conversation.ask('anyone'), conversation.say('Hello.')]
      expect((await Promise.all(late)).map(({ ending }) => ending)).toEqual(['interrupted', 'interrupted'])
    }
    await service.close()
  })

  it.each(['stop', 'close'] as const)('before the store has been read: %s', async (how) => {
    const store = scriptedStore()
    store.hold()
    const { clock, conversation, service } = talk({ options: { store } })
    const asked = [conversation.ask('hello'), conversation.say('Hello.')]
    conversation.interrupt()
    const over = how === 'stop' ? conversation.stop() : service.close()
    await clock.runUntilIdle()
    store.release()
    await clock.runUntilIdle()
    await over
    expect((await Promise.all(asked)).map(({ ending }) => ending)).toEqual(['interrupted', 'interrupted'])
    await service.close()
  })

  it('in their order, once the store has been read', async () => {
    const store = scriptedStore()
    store.hold()
    const { clock, conversation, service } = talk({ options: { store }, backend: { replies: [{ text: 'Yes.' }] } })
    let isNew = true
    conversation.events.subscribe(({ type }) => {
      if (type === 'CALLER_TURN_ENDED' && isNew) void conversation.ask('third')
      if (type === 'CALLER_TURN_ENDED') isNew = false
    })
    const asked = [conversation.ask('first'), conversation.ask('second')]
    await clock.advanceTo(100)
    store.release()
    await clock.runUntilIdle()
    await Promise.all(asked)
    expect(userTexts(conversation.history)).toEqual(['first', 'second', 'third'])
    await service.close()
  })

  it('where the conversation breaks', async () => {
    const { clock, conversation, of, service } = talk()
    const asked = [conversation.ask('hello'), conversation.say('Hello.')]
    // @ts-expect-error what the chart does not understand
    conversation.actor.send({ type: 'SPEECH_DETECTED' })
    await clock.runUntilIdle()
    expect((await Promise.all(asked)).map(({ ending }) => ending)).toEqual(['interrupted', 'interrupted'])
    expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'internal' }])
    const anew = conversation.ask('still there')
    await clock.runUntilIdle()
    expect((await anew).ending).toBe('finished')
    await service.close()
  })
})

describe('a conversation that its own subscriber ends', () => {
  it.each(['stop', 'close'] as const)('has told everybody what it told: %s', async (how) => {
    const { clock, conversation, service } = talk({ backend: { replies: [{ text: 'It is noon.' }] } })
    const seen: string[] = []
    conversation.events.subscribe(({ type }) => {
      if (type === 'CALLER_TURN_ENDED') void (how === 'stop' ? conversation.stop() : service.close())
    })
    conversation.events.subscribe({ next: ({ type }) => seen.push(type), complete: () => seen.push('over') })
    const outcome = conversation.ask('hello')
    await clock.runUntilIdle()
    expect((await outcome).ending).toBe('interrupted')
    expect(seen.slice(0, 4)).toEqual(['STATE_CHANGED', 'CALLER_TURN_ENDED', 'RESPONSE_GENERATING', 'STATE_CHANGED'])
    expect(seen.at(-1)).toBe('over')
    expect(userTexts(conversation.history)).toEqual(['hello'])
  })

  it('shows all subscribers one order, whatever they do meanwhile', async () => {
    const { clock, conversation, caller, service } = talk({ backend: { replies: [{ text: 'It is noon.' }] } })
    const one: string[] = []
    const other: string[] = []
    let asks = 0
    conversation.events.subscribe(({ type }) => {
      one.push(type)
      if (type === 'ERROR_OCCURRED' && (asks += 1) < 3) void conversation.ask('what went wrong')
    })
    conversation.events.subscribe(({ type }) => other.push(type))
    // @ts-expect-error a source written in JavaScript may send anything
    caller.next('nothing')
    await clock.runUntilIdle()
    expect(one).toContain('RESPONSE_FINISHED')
    expect(other).toEqual(one)
    await service.close()
  })
})

describe('interrupt() ends a reply and nothing else', () => {
  const told = 'turn off the oven please'

  it.each([
    ['while the caller speaks', 1_000, 1_200, false],
    ['between the words and the end of the voice', 1_405, 1_405, false],
    ['between the end of the voice and the commit', 1_700, 1_700, false],
    ['while the caller speaks, without interruption', 1_000, 1_200, true],
    ['over the words, without interruption', 1_405, 1_405, true],
  ])('%s', async (_, fromMs, toMs, isDeaf) => {
    const { clock, conversation, caller, backend, service } = talk({
      backend: { replies: [{ text: 'It is noon. Time for lunch. And more.' }] },
      options: { interruption: { enabled: !isDeaf } },
    })
    void conversation.ask('what time is it')
    await clock.advanceTo(900)
    caller.next({ type: 'SPEECH_STARTED' })
    const say = new Map([
      [1_100, () => caller.next({ type: 'SPEECH_PARTIAL', text: 'turn off' })],
      [1_400, () => caller.next({ type: 'SPEECH_DETECTED', text: told })],
      [1_500, () => caller.next({ type: 'SPEECH_ENDED' })],
    ])
    for (let atMs = 900; atMs < 2_000; atMs += 5) {
      await clock.advanceTo(atMs)
      say.get(atMs)?.()
      if (atMs >= fromMs && atMs <= toMs) conversation.interrupt()
    }
    await clock.runUntilIdle()
    expect(userTexts(conversation.history)).toEqual(['what time is it', told])
    expect(backend.requests.at(-1)?.messages.at(-1)?.content).toBe(told)
    await service.close()
  })

  it('voice that is over and whose words are still to come brings them as one turn', async () => {
    const { clock, conversation, caller, of, service } = talk({
      backend: { replies: [{ text: 'One two three four.' }] },
    })
    const outcome = conversation.ask('count')
    await clock.advanceTo(10)
    caller.next({ type: 'SPEECH_STARTED' })
    await clock.advanceTo(700)
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.advanceTo(800)
    conversation.interrupt()
    await clock.advanceTo(900)
    caller.next({ type: 'SPEECH_DETECTED', text: 'backwards' })
    await clock.runUntilIdle()
    expect((await outcome).ending).toBe('interrupted')
    // Counted from the end of the voice that was open when the reply was ended.
    expect(of('CALLER_TURN_ENDED').at(-1)).toMatchObject({ text: 'backwards', atMs: 1_200 })
    await service.close()
  })

  it('a reply that is made ahead is made on: the caller has not finished', async () => {
    const { clock, conversation, caller, backend, service } = talk({
      options: { speculation: { enabled: true } },
      backend: { replies: [{ text: 'It is on.' }] },
    })
    caller.next({ type: 'SPEECH_STARTED' })
    caller.next({ type: 'SPEECH_DETECTED', text: 'light on' })
    caller.next({ type: 'SPEECH_ENDED' })
    await clock.advanceTo(200)
    conversation.interrupt()
    await clock.runUntilIdle()
    expect(conversation.history.map(({ text }) => text)).toEqual(['light on', 'It is on.'])
    expect(backend.requests).toHaveLength(1)
    await service.close()
  })

  it('with nothing to end it ends nothing: what is announced afterwards is heard', async () => {
    const { clock, conversation, service } = talk()
    conversation.interrupt()
    const said = conversation.say('Dinner is ready.')
    await clock.runUntilIdle()
    expect((await said).ending).toBe('finished')
    await service.close()
  })
})
