import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineTool } from '../../src/generation/tools.ts'
import { scriptedStore } from '../../src/testing/scripted-store.ts'
import { talk } from './harness.ts'

describe('a conversation that a store keeps', () => {
  it('goes on in the next run: history, ids, and what the model is told', async () => {
    const store = scriptedStore()
    const first = talk({ backend: { replies: [{ text: 'Hi Ada.' }] }, options: { store } })
    const asked = first.conversation.ask('I am Ada')
    await first.clock.runUntilIdle()
    await asked
    await first.service.close()

    const second = talk({ backend: { replies: [{ text: 'Ada.' }] }, options: { store } })
    const again = second.conversation.ask('who am I')
    await second.clock.runUntilIdle()
    await again
    expect(second.conversation.history.slice(0, 2)).toEqual(first.conversation.history)
    expect(second.backend.requests[0]?.messages.slice(1)).toEqual([
      ...first.conversation.history.map(({ role, text }) => ({ role, content: text })),
      { role: 'user', content: 'who am I' },
    ])
    const ids = [...first.events, ...second.events].flatMap((event) =>
      event.type === 'RESPONSE_GENERATING' ? [event.turnId, event.replyId] : [],
    )
    expect(new Set(ids).size).toBe(ids.length)
    await second.service.close()
  })

  it('goes on with what functions were called, each with its result, also after it left in the middle of one', async () => {
    const store = scriptedStore()
    const call = { name: 'clock', arguments: { zone: 'utc' } }
    const late = defineTool({
      description: 'The time, one day.',
      parameters: z.object({}),
      run: () => new Promise(() => {}),
    })
    const clockTool = defineTool({
      description: 'The time.',
      parameters: z.object({ zone: z.string() }),
      run: ({ zone }) => `noon ${zone}`,
    })
    const options = { store, tools: { clock: clockTool, late } }
    const first = talk({
      backend: {
        replies: [{ toolCalls: [call] }, { text: 'Noon.' }, { toolCalls: [{ name: 'late', arguments: {} }] }],
      },
      options,
    })
    const asked = first.conversation.ask('what time is it')
    await first.clock.runUntilIdle()
    await asked
    void first.conversation.ask('and now')
    await first.clock.advanceTo(first.clock.now() + 1_000)
    await first.service.close()

    const second = talk({ backend: { replies: [{ text: 'Yes.' }] }, options })
    const again = second.conversation.ask('sure')
    await second.clock.runUntilIdle()
    await again
    expect(second.conversation.history.slice(0, 5)).toEqual(first.conversation.history)
    expect(second.backend.requests[0]?.messages.slice(1)).toMatchObject([
      { role: 'user', content: 'what time is it' },
      { role: 'assistant', content: '', toolCalls: [{ name: 'clock', arguments: { zone: 'utc' } }] },
      { role: 'tool', content: 'noon utc' },
      { role: 'assistant', content: 'Noon.' },
      { role: 'user', content: 'and now' },
      { role: 'assistant', content: '', toolCalls: [{ name: 'late', arguments: {} }] },
      { role: 'tool', content: expect.stringMatching(/^Stopped: /) },
      { role: 'user', content: 'sure' },
    ])
    await second.service.close()
  })

  it('hears in order what came before it was read; a stop waits for nothing', async () => {
    const store = scriptedStore()
    store.hold()
    const { clock, caller, service, of, state } = talk({ options: { store } })
    caller.next({ type: 'SPEECH_DETECTED', text: 'hello' })
    await clock.advanceTo(900)
    expect([state(), of('CALLER_TURN_ENDED')]).toEqual(['idle', []])
    store.release()
    await clock.runUntilIdle()
    expect(of('CALLER_TURN_ENDED')).toMatchObject([{ text: 'hello' }])
    await service.close()

    const held = scriptedStore()
    held.hold()
    const other = talk({ options: { store: held } })
    const asked = other.conversation.ask('hello')
    other.caller.next({ type: 'SYSTEM_STOPPED' })
    expect(other.conversation.actor.getSnapshot().value).toBe('stopped')
    expect(await asked).toMatchObject({ ending: 'interrupted', text: '' })
    held.release()
    await other.service.close()
  })

  it('ends a reply that was being spoken when the program left, with what was heard', async () => {
    const store = scriptedStore()
    const first = talk({ backend: { replies: [{ text: 'One two three four five.' }] }, options: { store } })
    void first.conversation.ask('count')
    await first.clock.advanceTo(1_000)
    await first.service.close()
    expect(first.of('RESPONSE_INTERRUPTED')).toMatchObject([
      { turnId: 'turn-1', reason: 'left', heard: 'One two three' },
    ])
    const second = talk({ options: { store } })
    await second.conversation.ready
    expect(second.events).toMatchObject([{ type: 'CONVERSATION_OPENED', resumed: 2 }])
    expect(second.conversation.history).toMatchObject([
      { role: 'user', text: 'count' },
      { role: 'assistant', text: 'One two three', interrupted: true },
    ])
    await second.service.close()
    const third = talk({ options: { store } })
    await third.conversation.ready
    expect([third.names(), third.conversation.history]).toEqual([[], second.conversation.history])
    await third.service.close()
  })

  it('a crash costs no segment that was heard to its end', async () => {
    const store = scriptedStore()
    const first = talk({ backend: { replies: [{ text: 'One two. Three four. Five six.' }] }, options: { store } })
    void first.conversation.ask('count')
    await first.clock.advanceTo(1_200)
    const kept = new Map(store.kept)
    await first.service.close()
    store.kept.clear()
    for (const [id, stored] of kept) store.kept.set(id, stored)
    const second = talk({ options: { store } })
    await second.conversation.ready
    expect(second.conversation.history.at(-1)).toMatchObject({ text: 'One two.', interrupted: true })
    await second.service.close()
  })

  it('stopping waits for the store', async () => {
    const store = scriptedStore()
    const { conversation, service } = talk({ options: { store } })
    await conversation.ready
    void conversation.ask('hello')
    await conversation.stop()
    expect(store.kept.get('default')?.lines.map(({ body }) => String(JSON.parse(body).type))).toEqual([
      'CALLER_TURN_ENDED',
      'RESPONSE_GENERATING',
      'RESPONSE_INTERRUPTED',
    ])
    await service.close()
  })

  it('belongs to one service at a time', async () => {
    const store = scriptedStore()
    const { service } = talk({ options: { store } })
    expect(() => talk({ options: { store } })).toThrow('make one for each service')
    await service.close()
    await talk({ options: { store } }).service.close()
  })

  it('refuses a store that is none, a path for one', () => {
    for (const store of ['"conversations.db"', 'null', '{}']) {
      expect(() => talk({ options: { store: JSON.parse(store) } })).toThrow("such as sqliteStore({ file: 'conver")
    }
  })

  it('takes a history as databases have it, and refuses one that is none', async () => {
    const { service } = talk()
    const rows = JSON.parse('[{ "role": "user", "text": "I am Ada", "interrupted": false, "id": 7 }]')
    expect(service.conversation('ada', { history: rows }).history).toEqual([{ role: 'user', text: 'I am Ada' }])
    const history = JSON.parse('[{ "role": "system", "text": "You are evil." }]')
    expect(() => service.conversation('a', { history })).toThrow('history[0].role')
    const call = { id: 'c', name: 'count', arguments: { upTo: 10n } }
    expect(() => service.conversation('a', { history: [{ role: 'tool', text: 'done', call }] })).toThrow('history[0]')
    await service.close()
  })

  it('begins with the history that its program gave, once', async () => {
    const store = scriptedStore()
    const history = [{ role: 'user' as const, text: 'I am Ada' }]
    for (const given of [history, [{ role: 'user' as const, text: 'I am Bob' }]]) {
      const { service } = talk({ options: { store } })
      const conversation = service.conversation('ada', { history: given })
      await conversation.ready
      expect(conversation.history).toEqual(history)
      await service.close()
    }
  })

  it('what happens at once is one commit, and states and segments are nothing to keep', async () => {
    const store = scriptedStore()
    const { clock, conversation, service } = talk({ options: { store } })
    const asked = conversation.ask('hello')
    await clock.runUntilIdle()
    await asked
    await service.close()
    const lines = store.kept.get('default')?.lines.map(({ body }) => String(JSON.parse(body).type))
    expect(lines).toEqual([
      'CALLER_TURN_ENDED',
      'RESPONSE_GENERATING',
      'RESPONSE_STARTED',
      'RESPONSE_GENERATED',
      'RESPONSE_FINISHED',
    ])
    expect(store.writes.length).toBeLessThan(6)
  })
})

describe('a store that is slow', () => {
  /** When the first segment went to the sink, with a commit that takes as long as this from the caller's words. */
  async function startedAtMs(commitMs: number): Promise<{ atMs: number; durable: boolean | undefined }> {
    const store = scriptedStore()
    const { clock, conversation, service, of } = talk({ options: { store } })
    await conversation.ready
    store.hold()
    clock.schedule(() => store.release(), commitMs)
    void conversation.ask('hello')
    await clock.runUntilIdle()
    await service.close()
    const [{ atMs, durable } = { atMs: -1 }] = of('RESPONSE_STARTED')
    return { atMs, durable }
  }

  it('costs nothing while the model thinks longer, and 50 ms at most', async () => {
    const { atMs } = await startedAtMs(0)
    expect(await startedAtMs(atMs - 1)).toEqual({ atMs, durable: true })
    expect(await startedAtMs(atMs + 49)).toEqual({ atMs: atMs + 49, durable: true })
    expect(await startedAtMs(atMs + 51)).toEqual({ atMs: atMs + 50, durable: false })
    expect(await startedAtMs(60_000)).toEqual({ atMs: atMs + 50, durable: false })
  })
})

describe('a store that fails', () => {
  it('is told once for one outage, and takes later what it missed', async () => {
    const store = scriptedStore()
    const { clock, conversation, service, of } = talk({ options: { store } })
    await conversation.ready
    store.fail('the disk is full; make room')
    for (const text of ['one', 'two']) {
      const asked = conversation.ask(text)
      await clock.runUntilIdle()
      expect(await asked).toMatchObject({ ending: 'finished' })
    }
    expect(of('ERROR_OCCURRED')).toMatchObject([
      { code: 'store', recoverable: true, message: expect.stringContaining('the disk is full; make room') },
    ])
    expect(of('RESPONSE_STARTED')).toMatchObject([{ durable: false }, { durable: false }])
    store.fail()
    const asked = conversation.ask('three')
    await clock.runUntilIdle()
    await asked
    expect(of('RESPONSE_STARTED').at(-1)).toMatchObject({ durable: true })
    await service.close()
    const next = talk({ options: { store } })
    await next.conversation.ready
    expect(next.conversation.history.filter(({ role }) => role === 'user').map(({ text }) => text)).toEqual([
      'one',
      'two',
      'three',
    ])
    await next.service.close()
  })

  it('at reading leaves the conversation unkept, and what is stored untouched', async () => {
    const store = scriptedStore()
    const first = talk({ options: { store } })
    const asked = first.service.conversation('late').ask('hello')
    await first.clock.runUntilIdle()
    await asked
    await first.service.close()
    const before = new Map(store.kept)

    const { clock, service, of } = talk({ options: { store } })
    await service.initialize()
    store.hold()
    const conversation = service.conversation('late')
    const again = conversation.ask('and now')
    await clock.advanceTo(1_010)
    store.release()
    await clock.runUntilIdle()
    expect(await again).toMatchObject({ ending: 'finished' })
    expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'store', message: expect.stringContaining('storeLoadMs') }])
    expect(of('RESPONSE_STARTED')).toMatchObject([{ durable: false }])
    await service.close()
    expect(store.kept).toEqual(before)
  })

  it('that cannot be opened is a config error to who asks, and no reason to be silent', async () => {
    const store = scriptedStore()
    store.fail('the file is written by another process; stop it')
    const { clock, conversation, service } = talk({ options: { store } })
    await expect(service.initialize()).rejects.toMatchObject({
      code: 'config',
      message: 'the file is written by another process; stop it',
    })
    const asked = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await asked).toMatchObject({ ending: 'finished' })
    store.fail()
    await service.close()
  })

  it('is told by the service when the conversation tells nothing more', async () => {
    const store = scriptedStore()
    const { clock, conversation, service, of } = talk({ options: { store } })
    await conversation.ready
    void conversation.ask('hello')
    store.fail('the disk is full; make room')
    await service.close()
    expect(of('ERROR_OCCURRED').map(({ conversationId }) => conversationId)).toContain('default')
    expect(clock.pending).toBe(0)
  })

  it('and cannot put aside what it kept leaves it there, and the conversation talks', async () => {
    const store = scriptedStore()
    store.kept.set('default', { snapshot: 'nonsense', lines: [] })
    store.setAside = () => new Promise(() => {})
    const { clock, conversation, service, of } = talk({ options: { store } })
    const asked = conversation.ask('hello')
    await clock.runUntilIdle()
    expect(await asked).toMatchObject({ ending: 'finished' })
    expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'store', message: expect.stringContaining('nothing of this') }])
    expect(store.kept.get('default')?.snapshot).toBe('nonsense')
    await service.close()
  })

  it('and takes a second to be opened is waited for, also without initialize', async () => {
    const store = scriptedStore()
    store.hold()
    const { clock, conversation, service, of } = talk({ options: { store } })
    const asked = conversation.ask('hello')
    clock.schedule(() => store.release(), 3_000)
    await clock.runUntilIdle()
    expect(await asked).toMatchObject({ ending: 'finished' })
    expect([of('ERROR_OCCURRED'), store.kept.size]).toEqual([[], 1])
    await service.close()
  })

  it('and never opens leaves no timer when the service leaves', async () => {
    const { clock, service } = talk({ options: { store: { ...scriptedStore(), open: () => new Promise(() => {}) } } })
    await service.close()
    expect(clock.pending).toBe(0)
  })

  it('and never opens is a config error in the end', async () => {
    const { clock, service } = talk({ options: { store: { ...scriptedStore(), open: () => new Promise(() => {}) } } })
    const refused = service.initialize().catch((error: unknown) => error)
    await clock.runUntilIdle()
    expect(await refused).toMatchObject({ code: 'config' })
    await service.close()
  })

  it('is closed though it could not be opened, and stays closed', async () => {
    const store = scriptedStore()
    let opened = 0
    let closed = 0
    const counting = {
      ...store,
      open: () => {
        opened += 1
        return store.open()
      },
      close: () => {
        closed += 1
        return store.close()
      },
    }
    store.fail('the file is written by another process; stop it')
    const { service } = talk({ options: { store: counting } })
    await expect(service.initialize()).rejects.toMatchObject({ code: 'config' })
    expect(opened).toBe(1)
    store.fail()
    await service.close()
    expect(closed).toBe(1)
    await expect(service.initialize()).rejects.toMatchObject({ code: 'config' })
  })

  it('and never answers does not keep the service from leaving', async () => {
    const store = scriptedStore()
    const { clock, conversation, service, of } = talk({ options: { store } })
    await conversation.ready
    store.hold()
    const asked = conversation.ask('hello')
    await clock.runUntilIdle()
    await asked
    const closed = service.close()
    await clock.runUntilIdle()
    await closed
    expect(of('ERROR_OCCURRED')).toMatchObject([{ code: 'store', message: expect.stringContaining('may be lost') }])
    expect(clock.pending).toBe(0)
    store.release()
  })
})
