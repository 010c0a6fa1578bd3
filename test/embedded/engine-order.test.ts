import { describe, expect, it } from 'vitest'
import { Engine } from '../../src/backends/embedded/engine.ts'
import { scriptedLlama } from './scripted-llama.ts'

const never = new AbortController().signal
const noop = (): void => undefined
const ask = (content: string) => ({ messages: [{ role: 'user' as const, content }], maxTokens: 8, stop: [] })
const sliceTokens = 10

async function opened(sequences = 1) {
  const llama = scriptedLlama()
  const about = { engine: '', modelPath: '', contextTokens: 1_000, threads: 1 }
  const engine = await Engine.open(llama.module, { type: 'open', ...about, sequences, sliceTokens }, () => 0)
  return { llama, engine }
}

describe('the engine, slice by slice', () => {
  it('an abort while the prompt is read ends it with the slice, and what was read is not read again', async () => {
    const { llama, engine } = await opened()
    const long = ask('a long story '.repeat(20))
    const barge = new AbortController()
    const heard: string[] = []
    const reply = engine.reply(
      long,
      () => heard.push('granted'),
      (text) => heard.push(text),
      barge.signal,
    )
    const failure = reply.catch((error: unknown) => error)
    await llama.sliced(1)
    llama.read()
    await llama.sliced(2)
    barge.abort(new Error('barge-in'))
    llama.read()
    expect(String(await failure)).toContain('barge-in')
    expect(heard).toEqual(['granted'])
    expect(llama.slices).toHaveLength(2)
    llama.read('rest')
    const { promptTokens, cachedPromptTokens, replyTokens } = await engine.reply(long, noop, noop, never)
    expect([promptTokens, cachedPromptTokens, replyTokens]).toEqual([260, 2 * sliceTokens, 2])
  })

  it('an abort of one that waits for a sequence leaves its place to the next', async () => {
    const { llama, engine } = await opened()
    const first = engine.reply(ask('the first of three '.repeat(2)), noop, noop, never)
    await llama.sliced(1)
    const leaving = new AbortController()
    const second = engine.reply(ask('second'), () => expect.fail('it has left'), noop, leaving.signal)
    const third = engine.reply(ask('third'), noop, noop, never)
    leaving.abort(new Error('left the queue'))
    await expect(second).rejects.toThrow('left the queue')
    llama.read('rest')
    expect((await first).finishReason).toBe('stop')
    expect((await third).finishReason).toBe('stop')
  })

  it('a reply puts an end to reading ahead within a slice', async () => {
    const { llama, engine } = await opened()
    const later = ask('a very long story '.repeat(20))
    const ahead = engine.prewarm(later, never)
    await llama.sliced(1)
    llama.read()
    await llama.sliced(2)
    let text = ''
    const reply = engine.reply(ask('me first'), noop, (piece) => (text += piece), never)
    llama.read('rest')
    await ahead
    expect((await reply).finishReason).toBe('stop')
    expect(text).toBe('ok')
    // Two slices of 36: the rest was never read.
    expect(llama.slices).toHaveLength(2)
  })

  it('what was read ahead is not read again; reading ahead takes no sequence from anybody', async () => {
    const { llama, engine } = await opened()
    llama.read('rest')
    const request = ask('something that will be asked soon')
    await engine.prewarm(request, never)
    expect(await engine.reply(request, noop, noop, never)).toMatchObject({ promptTokens: 33, cachedPromptTokens: 30 })
    const busy = await opened()
    const reply = busy.engine.reply(ask('in the middle of something'), noop, noop, never)
    await busy.llama.sliced(1)
    await busy.engine.prewarm(request, never)
    busy.llama.read('rest')
    await reply
    expect(busy.llama.slices.flat()).toHaveLength(20)
  })

  it('an abort of reading ahead is told to whoever asked for it', async () => {
    const { llama, engine } = await opened()
    const controller = new AbortController()
    const ahead = engine.prewarm(ask('a very long story '.repeat(20)), controller.signal)
    const failure = ahead.catch((error: unknown) => error)
    await llama.sliced(1)
    controller.abort(new Error('changed'))
    llama.read()
    expect(String(await failure)).toContain('changed')
  })
})
