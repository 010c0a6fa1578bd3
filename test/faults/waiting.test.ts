import { describe, expect, it } from 'vitest'
import { fullBacklog } from './full-backlog.ts'
import { quiet } from './resources.ts'
import { stage } from './support.ts'

describe('a server that is slow on cue', () => {
  it('row 16: 408 and 429 are waited for where Retry-After fits', async () => {
    for (const status of [408, 429]) {
      const { ask, asked, isWorking, clock, settles } = await stage({
        replies: [{ fault: { kind: 'http', status, headers: { 'retry-after': '2' } } }, { text: 'It is noon.' }],
      })
      const outcome = ask()
      await quiet(() => isWorking('backingOff'))
      clock.wind(1_900)
      expect(asked()).toEqual(['m1'])
      clock.wind(100)
      expect(await outcome).toMatchObject({ ending: 'finished', heard: 'It is noon.', model: 'm1' })
      await settles()
    }
  })

  it('row 16: 429 without Retry-After is tried again at once, then the next model', async () => {
    const limited = { fault: { kind: 'http' as const, status: 429 } }
    const { ask, asked, settles } = await stage({ replies: [limited, limited, { text: 'Two speaks.' }] })
    expect(await ask()).toMatchObject({ ending: 'finished', model: 'm2' })
    expect(asked()).toEqual(['m1', 'm1', 'm2'])
    await settles()
  })

  it('row 16: a Retry-After that does not fit leaves the model at once', async () => {
    const { ask, asked, settles } = await stage({
      replies: [{ fault: { kind: 'http', status: 429, headers: { 'retry-after': '100' } } }, { text: 'Two speaks.' }],
    })
    expect(await ask()).toMatchObject({ ending: 'finished', model: 'm2' })
    expect(asked()).toEqual(['m1', 'm2'])
    await settles()
  })

  it('row 32: silence before the headers is left for the next model after firstTokenMs', async () => {
    const { ask, asked, one, clock, of, settles } = await stage({
      replies: [{ fault: { kind: 'silent' } }, { text: 'Two speaks.' }],
    })
    const outcome = ask()
    await one.requested(0)
    clock.wind(3_000)
    expect(asked()).toEqual(['m1'])
    clock.wind(1_000)
    expect(await outcome).toMatchObject({ ending: 'finished', model: 'm2' })
    expect(await one.closed(0)).toMatchObject({ closedEarly: true })
    expect(of('RESPONSE_DELAYED').map(({ reason }) => reason)).toEqual(['fallback'])
    await settles()
  })

  it('row 32: silence after the headers is the same', async () => {
    const { ask, asked, one, clock, settles } = await stage({
      replies: [{ fault: { kind: 'stall' } }, { text: 'Two speaks.' }],
    })
    const outcome = ask()
    await one.requested(0)
    clock.wind(4_000)
    expect(await outcome).toMatchObject({ ending: 'finished', model: 'm2' })
    expect(asked()).toEqual(['m1', 'm2'])
    await settles()
  })

  it('row 32: with no other model it is a typed time-out', async () => {
    const { ask, one, clock, settles } = await stage({ alone: true, replies: [{ fault: { kind: 'silent' } }] })
    const outcome = ask()
    await one.requested(0)
    clock.wind(4_000)
    const { error, ending } = await outcome
    expect([ending, error?.code]).toEqual(['failed', 'timeout'])
    expect(error?.message).toContain('firstTokenMs')
    await settles()
  })

  const kinds = [
    [33, 'silence in mid-stream', { kind: 'stall', afterDeltas: 1 }],
    [34, 'nothing but keep-alive bytes in mid-stream', { kind: 'keep-alive', afterDeltas: 1, everyMs: 1 }],
  ] as const
  it.each(kinds)('row %i: %s before the commit point is left for the next model after idleMs', async (_, __, fault) => {
    const { ask, asked, conversation, clock, settles } = await stage({
      replies: [{ text: 'It is noon.', fault }, { text: 'Two speaks.' }],
    })
    let deltas = 0
    conversation.deltas.subscribe(() => (deltas += 1))
    const outcome = ask()
    await quiet(() => deltas === 1)
    clock.wind(2_000)
    expect(asked()).toEqual(['m1'])
    clock.wind(1_000)
    expect(await outcome).toMatchObject({ ending: 'finished', heard: 'Two speaks.', model: 'm2' })
    await settles()
  })

  it.each(kinds)('row %i: %s after the commit point stops the reply after idleMs', async (_, __, fault) => {
    const { ask, of, clock, history, settles } = await stage({
      replies: [{ deltas: ['It is noon. And'], fault }],
    })
    const outcome = ask()
    await quiet(() => of('RESPONSE_SEGMENT').length === 1)
    clock.wind(3_000)
    expect(await outcome).toMatchObject({ ending: 'failed', heard: 'It is noon.', error: { code: 'timeout' } })
    expect(history().at(-1)).toEqual(['assistant', 'It is noon.', 'cut'])
    await settles()
  })

  it.each(['ollama', 'openai'] as const)('row 34: keep-alive bytes from %s are no first token', async (serves) => {
    const { ask, one, clock, settles } = await stage({
      first: { serves },
      replies: [{ fault: { kind: 'keep-alive', everyMs: 1 } }, { text: 'Two speaks.' }],
    })
    const outcome = ask()
    await one.requested(0)
    clock.wind(4_000)
    expect(await outcome).toMatchObject({ ending: 'finished', model: 'm2' })
    await settles()
  })

  it('row 37: a reply that trickles for ever ends at totalMs', async () => {
    const words = Array.from({ length: 100 }, () => ' so')
    const { ask, conversation, one, clock, history, settles } = await stage({
      replies: [{ deltas: words, hold: 'each', sliceBytes: 1 }],
    })
    let deltas = 0
    conversation.deltas.subscribe(() => (deltas += 1))
    const outcome = ask()
    let ended = false
    void outcome.then(() => (ended = true))
    for (let second = 0; second <= 60; second += 2) {
      const before = deltas
      one.release(0)
      await quiet(() => deltas > before || ended)
      clock.wind(2_000)
    }
    const { ending, error } = await outcome
    expect([ending, error?.code]).toEqual(['failed', 'timeout'])
    expect(error?.message).toContain('totalMs')
    expect(deltas).toBe(30)
    expect(history()[0]).toEqual(['user', 'what time is it'])
    await settles()
  })

  it('row 47: a cold model is told, and given its loading time', async () => {
    const { ask, asked, one, clock, of, settles } = await stage({
      first: { models: [{ name: 'm1', loaded: false }, 'm2'] },
      replies: [{ text: 'It is noon.', hold: 'headers' }],
    })
    const outcome = ask()
    await one.requested(0)
    clock.wind(50_000)
    expect(of('RESPONSE_DELAYED').map(({ reason }) => reason)).toEqual(['loading'])
    one.release(0)
    expect(await outcome).toMatchObject({ ending: 'finished', heard: 'It is noon.', model: 'm1' })
    expect(asked()).toEqual(['m1'])
    await settles()
  })

  it('row 47: a model that is still not loaded after loadingMs is left', async () => {
    const { ask, one, clock, settles } = await stage({
      first: { models: [{ name: 'm1', loaded: false }, 'm2'] },
      replies: [{ fault: { kind: 'silent' } }, { text: 'Two speaks.' }],
    })
    const outcome = ask()
    await one.requested(0)
    clock.wind(60_000)
    expect(await outcome).toMatchObject({ ending: 'finished', model: 'm2' })
    await settles()
  })
})

describe('a listener that takes no connection', () => {
  it('row 3: a connect that goes nowhere leaves the origin after connectMs', async () => {
    const nowhere = await fullBacklog()
    const { ask, asked, isWorking, clock, conversation, events, leaves } = await stage({
      options: { baseUrl: nowhere.url },
    })
    const outcome = ask()
    await quiet(() => isWorking('locating'))
    clock.wind(2_000)
    expect(await outcome).toMatchObject({ ending: 'finished', heard: 'Two speaks.', model: 'm3' })
    expect(asked()).toEqual(['m3'])
    const again = ask('and now')
    await quiet(() => isWorking('locating'))
    clock.wind(2_000)
    expect(await again).toMatchObject({ ending: 'finished', model: 'm3' })
    expect(conversation.history).toHaveLength(4)
    expect(events.some(({ type }) => type === 'ERROR_OCCURRED')).toBe(false)
    await nowhere.close()
    await leaves()
  })
})
