import { describe, expect, it } from 'vitest'
import { scriptedStore } from '../../src/testing/scripted-store.ts'
import { quiet } from './resources.ts'
import { stage } from './support.ts'

describe('the store of conversations', () => {
  it('row 59: the first segment waits for a slow store for a moment, and the event says durable: false', async () => {
    const store = scriptedStore()
    const { ask, clock, conversation, of, settles } = await stage({ options: { store } })
    await conversation.ready
    store.hold()
    const outcome = ask()
    await quiet(() => conversation.actor.getSnapshot().matches({ generating: 'storing' }))
    expect(of('RESPONSE_STARTED')).toEqual([])
    clock.wind(50)
    expect(await outcome).toMatchObject({ ending: 'finished' })
    expect(of('RESPONSE_STARTED')).toMatchObject([{ durable: false }])
    store.release()
    await settles()
    expect(of('RESPONSE_STARTED').at(-1)).toMatchObject({ durable: true })
  })
})
