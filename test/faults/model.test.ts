import { describe, expect, it } from 'vitest'
import type { Turn } from '../../machines/vocabulary.ts'
import type { LoopbackReply } from '../../src/testing/loopback-server.ts'
import { stage } from './support.ts'

const past: Turn[] = Array.from({ length: 12 }, (_, index) => ({
  role: index % 2 === 0 ? 'user' : 'assistant',
  text: `${index}: ${'there is much to be said about this and that '.repeat(4)}`,
}))

describe('the request is refused', () => {
  const tooLong: LoopbackReply = { fault: { kind: 'context-overflow' } }

  it('row 11: a prompt that is too long is shortened and sent once again', async () => {
    const { ask, asked, one, settles } = await stage({ past, replies: [tooLong, { text: 'It is noon.' }] })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon.', model: 'm1' })
    expect(asked()).toEqual(['m1', 'm1'])
    const [long, short] = one.requests.map(({ body }) => JSON.stringify(body).length)
    expect(short).toBeLessThan(long ?? 0)
    await settles()
  })

  it('row 11: one that is still too long is a context-overflow', async () => {
    const { ask, asked, settles } = await stage({ past, replies: [tooLong] })
    expect(await ask()).toMatchObject({ ending: 'failed', error: { code: 'context-overflow' } })
    expect(asked()).toEqual(['m1', 'm1'])
    await settles()
  })

  it('row 11: one that cannot be shorter fails without another request', async () => {
    const { ask, asked, settles } = await stage({ replies: [tooLong] })
    expect(await ask()).toMatchObject({ ending: 'failed', error: { code: 'context-overflow' } })
    expect(asked()).toEqual(['m1'])
    await settles()
  })

  it('row 13: a key that nobody takes is an auth error that names the setting', async () => {
    const { ask, asked, settles } = await stage({
      alone: true,
      replies: [{ fault: { kind: 'http', status: 401 } }],
    })
    const { error, ending } = await ask()
    expect([ending, error?.code]).toEqual(['failed', 'auth'])
    expect(error?.message).toContain('apiKey')
    expect(asked()).toEqual(['m1'])
    await settles()
  })

  it('row 18: a busy server with nowhere else to go is overloaded', async () => {
    const { ask, asked, settles } = await stage({ alone: true, replies: [{ fault: { kind: 'http', status: 503 } }] })
    expect(await ask()).toMatchObject({ ending: 'failed', error: { code: 'overloaded' } })
    expect(asked()).toEqual(['m1'])
    await settles()
  })

  it('row 14: a model that is missing is left for the next and not asked again', async () => {
    const { ask, asked, settles } = await stage({
      replies: [{ fault: { kind: 'model-missing' } }, { text: 'Two speaks.' }],
    })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'Two speaks.', model: 'm2' })
    expect(asked()).toEqual(['m1', 'm2'])
    await settles({ model: 'm2' })
    expect(asked()).toEqual(['m1', 'm2', 'm2'])
  })

  it('row 14: diagnose() says how to pull a model that is not there', async () => {
    const { service, one, settles } = await stage({ replies: [{ fault: { kind: 'model-missing' } }] })
    const { ok, steps } = await service.diagnose()
    expect(ok).toBe(false)
    expect(JSON.stringify(steps)).toContain('ollama pull m1')
    one.setModels(['m2'])
    expect(JSON.stringify((await service.diagnose()).steps)).toContain('ollama pull m1')
    one.setModels(['m1', 'm2'])
    await settles()
  })

  it('row 15: a path that is gone is looked for again, and the same model is asked there', async () => {
    const { ask, one, settles } = await stage({
      replies: [{ fault: { kind: 'path-missing' } }, { text: 'It is noon.' }],
    })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon.', model: 'm1' })
    expect(one.requests.map(({ path, model }) => [path, model])).toEqual([
      ['/api/chat', 'm1'],
      ['/api/generate', 'm1'],
    ])
    await settles()
  })

  it('row 15: a path that stays away leaves the origin, whatever models it has', async () => {
    const { ask, asked, settles } = await stage({ replies: [{ fault: { kind: 'path-missing' } }] })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'Two speaks.', model: 'm3' })
    expect(asked()).toEqual(['m1', 'm1', 'm3'])
    await settles()
  })

  it('row 15: it is looked for once: a path that stays away ends the reply', async () => {
    const { ask, asked, one, two, settles } = await stage({
      replies: [{ fault: { kind: 'path-missing' } }],
      alone: true,
    })
    const { error, ending } = await ask()
    expect([ending, error?.code]).toEqual(['failed', 'http'])
    expect(asked()).toEqual(['m1', 'm1'])
    expect(one.seen.filter((line) => line === 'GET /api/tags').length).toBeLessThanOrEqual(4)
    expect(two.seen).toEqual([])
    await settles()
  })
})

describe('the reply is not one', () => {
  const nothings: [row: number, fact: string, reply: LoopbackReply][] = [
    [38, 'an empty reply', { text: '' }],
    [39, 'a reply of white space', { deltas: [' ', '\n\n', '\t'] }],
    [39, 'a reply of emoji', { text: '👍🎉 👩‍👩‍👧' }],
    [40, 'a reply of thinking alone', { thinking: ['I think', ' of nothing'], text: '' }],
    [40, 'a reply of written thinking alone', { text: '<think>I think of nothing</think>' }],
  ]

  it.each(nothings)('row %i: %s is left for the next model', async (_, __, reply) => {
    const { ask, asked, events, settles } = await stage({ replies: [reply, { text: 'Two speaks.' }] })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'Two speaks.', model: 'm2' })
    expect(asked()).toEqual(['m1', 'm2'])
    expect(events.filter(({ type }) => type === 'RESPONSE_SEGMENT')).toHaveLength(1)
    await settles()
  })

  it.each(nothings)('row %i: %s twice is a typed error, and nobody else is asked', async (_, __, reply) => {
    const { ask, asked, history, settles } = await stage({ replies: [reply] })
    expect(await ask()).toMatchObject({ ending: 'failed', heard: '', error: { code: 'empty-reply' } })
    expect(asked()).toEqual(['m1', 'm2'])
    expect(history()).toEqual([['user', 'what time is it']])
    await settles()
  })

  it('row 41: endless repetition is cut at the reply limit, and flagged', async () => {
    const { ask, of, one, settles } = await stage({ replies: [{ deltas: ['So it is. '], fault: { kind: 'endless' } }] })
    const { ending, text } = await ask()
    expect(ending).toBe('finished')
    expect(text.length).toBeGreaterThan(7_900)
    expect(text.length).toBeLessThanOrEqual(8_000)
    expect(of('RESPONSE_GENERATED')).toMatchObject([{ finishReason: 'limit' }])
    expect(await one.closed(0)).toMatchObject({ closedEarly: true })
    await settles()
  })

  it.each(['ollama', 'openai'] as const)(
    'row 42: a reply that ran out of tokens at %s is spoken to its last sentence, and flagged',
    async (serves) => {
      const { ask, of, history, settles } = await stage({
        first: { serves },
        replies: [{ text: 'It is noon. Enjoy it. And then there', finishReason: 'length' }],
      })
      expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon. Enjoy it.' })
      expect(of('RESPONSE_GENERATED')).toMatchObject([{ finishReason: 'length' }])
      expect(history().at(-1)).toEqual(['assistant', 'It is noon. Enjoy it.'])
      await settles()
    },
  )

  it('row 43: a content filter is its own error, and no other model is asked', async () => {
    const { ask, asked, settles } = await stage({
      first: { serves: 'openai' },
      replies: [{ text: '', finishReason: 'content_filter' }],
    })
    expect(await ask()).toMatchObject({ ending: 'failed', error: { code: 'content-filter' } })
    expect(asked()).toEqual(['m1'])
    await settles()
  })

  it('row 44: a call with broken JSON for a tool that nobody offered is no reply: the next model answers', async () => {
    const { ask, asked, settles } = await stage({
      first: { serves: 'openai' },
      replies: [{ text: '', toolCalls: [{ name: 'clock', arguments: '{"zone": ' }] }, { text: 'Two speaks.' }],
    })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'Two speaks.', model: 'm2' })
    expect(asked()).toEqual(['m1', 'm2'])
    await settles()
  })

  it('row 45: template tokens in the text are stripped, and counted', async () => {
    const { ask, logged, conversation, settles } = await stage({
      replies: [{ text: '<|im_start|>It is</s> noon.<|im_end|><|eot_id|>', sliceBytes: 3 }],
    })
    let told = ''
    conversation.deltas.subscribe(({ text }) => (told += text))
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon.', text: 'It is noon.' })
    expect(told).toBe('It is noon.')
    expect(logged).toContainEqual([{ conversationId: 'default', count: 4 }, 'template tokens were left out of a reply'])
    await settles()
  })

  it('row 46: a fallback with a smaller window gets a prompt that fits it', async () => {
    const { ask, asked, one, settles } = await stage({
      past,
      first: {
        models: [
          { name: 'm1', contextTokens: 4_096 },
          { name: 'm2', contextTokens: 1_024 },
        ],
      },
      replies: [{ fault: { kind: 'no-end' } }, { text: 'Two speaks.' }],
    })
    expect(await ask()).toMatchObject({ ending: 'finished', model: 'm2' })
    expect(asked()).toEqual(['m1', 'm2'])
    const [large, small] = one.requests.map(({ body }) => body)
    expect(large).toMatchObject({ options: { num_ctx: 4_096 } })
    expect(small).toMatchObject({ options: { num_ctx: 1_024 } })
    expect(JSON.stringify(small).length).toBeLessThan(JSON.stringify(large).length)
    expect(JSON.stringify(small)).toContain('what time is it')
    await settles()
  })
})
