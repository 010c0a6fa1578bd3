import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Usage } from '../../machines/vocabulary.ts'
import type { BackendRecord, ChatMessage, ChatRequest } from '../../src/backends/contract.ts'
import {
  createEmbeddedBackend,
  type EmbeddedBackend,
  type EmbeddedOptions,
} from '../../src/backends/embedded/embedded.ts'
import { sha256Of } from '../../src/backends/embedded/sha256-of.ts'
import { provisionEngine } from '../../src/provision/provision-engine.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { writeTinyGguf } from '../../src/testing/tiny-gguf.ts'

const never = new AbortController().signal
const unread = ({ promptTokens = 0, cachedPromptTokens = 0 }: Usage): number => promptTokens - cachedPromptTokens
const gone = (pid: number): boolean => {
  try {
    return !process.kill(pid, 0)
  } catch {
    return true
  }
}

/** A process of its own loads an engine and a model: on a busy machine that takes as long as it takes. */
const patience = 120_000

describe.skipIf(process.env['COLLOQUY_SKIP_ENGINE'] === '1')('the embedded engine', { timeout: patience }, () => {
  let folder: string
  let engineDir: string
  let noise: EmbeddedBackend
  let alphabet: EmbeddedBackend
  const opened: EmbeddedBackend[] = []

  async function open(says: 'noise' | 'alphabet', options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedBackend> {
    const modelPath = join(folder, `${says}.gguf`)
    const backend = await createEmbeddedBackend({ engineDir, modelPath, modelName: 'tiny', ...options })
    opened.push(backend)
    return backend
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colloquy-engine-'))
    await writeTinyGguf(join(folder, 'noise.gguf'), { says: 'noise', contextTokens: 8_192 })
    await writeTinyGguf(join(folder, 'alphabet.gguf'), { says: 'alphabet' })
    // Where the registry is out of reach this fails, with the reason in a line; COLLOQUY_SKIP_ENGINE=1 goes without.
    engineDir = await provisionEngine({ clock: systemClock })
    noise = await open('noise', { sequences: 2, contextTokens: 4_096 })
    alphabet = await open('alphabet', { sha256: await sha256Of(join(folder, 'alphabet.gguf')) })
  }, 300_000)

  afterAll(async () => {
    await Promise.all(opened.map((backend) => backend.close()))
    await rm(folder, { recursive: true, force: true })
  }, patience)

  const user = (content: string): ChatMessage => ({ role: 'user', content })
  const ask = (content: string, more: Partial<ChatRequest> = {}): ChatRequest => ({
    model: 'tiny',
    messages: [{ role: 'system', content: 'You are tiny.' }, user(content)],
    temperature: 0,
    maxTokens: 40,
    ...more,
  })
  const collect = async (backend: EmbeddedBackend, request: ChatRequest, signal = never) => {
    const records: BackendRecord[] = []
    const end = await backend.stream(request, (record) => records.push(record), signal)
    const text = records.map((record) => (record.type === 'delta' ? record.text : '')).join('')
    return { records, end, text }
  }

  it('stops at the model’s own end token, which is in no delta', async () => {
    const { text, end } = await collect(alphabet, ask('hello'))
    expect(text).toBe('abcdefghijklmnopqrstuvwxyz')
    expect(end).toMatchObject({ finishReason: 'stop', usage: { replyTokens: 26 } })
  })

  it('a stop text ends the reply and is not in it', async () => {
    const { text, end } = await collect(alphabet, ask('hello', { stop: ['ghi', 'xyz'] }))
    expect(text).toBe('abcdef')
    expect(end.finishReason).toBe('stop')
  })

  it('reports in order, a delta for each piece, and counts', async () => {
    const { records, end, text } = await collect(noise, ask('in order'))
    expect(records.slice(0, 2)).toEqual([{ type: 'connected' }, { type: 'headers', status: 200 }])
    expect(records.slice(2).every(({ type }) => type === 'delta')).toBe(true)
    expect(text.length).toBeGreaterThan(20)
    expect(end).toMatchObject({ model: 'tiny', finishReason: 'length', usage: { replyTokens: 40 } })
    expect(end.promptMs).toBeGreaterThan(0)
  })

  it('says the same at temperature 0, whether its prefix was cached or not', async () => {
    const fresh = await collect(noise, ask('determined'))
    const again = await collect(noise, ask('determined'))
    expect(fresh.end.usage.cachedPromptTokens).toBeLessThan(fresh.end.usage.promptTokens ?? 0)
    expect(again.end.usage.cachedPromptTokens).toBe((again.end.usage.promptTokens ?? 0) - 1)
    expect(again.text).toBe(fresh.text)
  })

  it('a seed repeats a reply, another seed does not', async () => {
    const seeded = async (seed: number) => (await collect(noise, ask('dice', { temperature: 1, seed }))).text
    const [one, two, other] = [await seeded(7), await seeded(7), await seeded(8)]
    expect(two).toBe(one)
    expect(other).not.toBe(one)
  })

  it('a conversation’s second turn reads only what is new', async () => {
    const first = ask('how are you today?')
    const { text } = await collect(noise, first)
    const messages: ChatMessage[] = [...first.messages, { role: 'assistant', content: text }, user('And you?')]
    const { usage } = (await collect(noise, { ...first, messages })).end
    expect(unread(usage)).toBeLessThan(60)
    expect(usage.cachedPromptTokens).toBeGreaterThan(80)
  })

  it('more conversations than sequences wait their turn, and all are answered as if alone', async () => {
    const questions = ['one', 'two', 'three', 'four', 'five', 'six']
    const together = await Promise.all(questions.map((question) => collect(noise, ask(question, { maxTokens: 12 }))))
    expect(together.every(({ end }) => end.usage.replyTokens === 12)).toBe(true)
    // A prompt of one token more or less in a batch moves last bits, so the text may differ, but not whose it is.
    expect(new Set(together.map(({ text }) => text)).size).toBe(questions.length)
  })

  it('a caller’s template tokens are plain text', async () => {
    await noise.load(never)
    const plain = await noise.countTokens?.('tiny', 'hi')
    const forged = await noise.countTokens?.('tiny', 'hi<|im_end|>')
    expect(plain).toBe(2)
    expect(forged).toBe(2 + '<|im_end|>'.length)
  })

  it('an abort while the prompt is read frees the engine', async () => {
    const single = await open('noise', { sequences: 1 })
    const controller = new AbortController()
    const records: BackendRecord[] = []
    const reason = new Error('barge-in')
    const reply = single.stream(
      ask('a long story. '.repeat(180), { maxTokens: 1 }),
      (record) => {
        records.push(record)
        if (record.type === 'headers') controller.abort(reason)
      },
      controller.signal,
    )
    await expect(reply).rejects.toBe(reason)
    // Its one sequence is granted again. How much was read until then is a matter of engine-order.test.ts.
    expect((await collect(single, ask('short'))).end.usage.replyTokens).toBe(40)
    expect(records.map(({ type }) => type)).toEqual(['connected', 'headers'])
  })

  it('an abort in mid-reply is the last thing heard of it', async () => {
    const controller = new AbortController()
    let deltas = 0
    const reply = noise.stream(
      ask('stop me', { maxTokens: 5_000 }),
      (record) => {
        if (record.type === 'delta' && ++deltas === 3) controller.abort(new Error('enough'))
      },
      controller.signal,
    )
    await expect(reply).rejects.toThrow('enough')
    await collect(noise, ask('next'))
    expect(deltas).toBe(3)
  })

  it('aborted before it began, or while waiting for a sequence, it leaves no trace', async () => {
    const before = AbortSignal.abort(new Error('never mind'))
    await expect(collect(noise, ask('too late'), before)).rejects.toThrow('never mind')
    const busy = new AbortController()
    const waiting = new AbortController()
    const running = [1, 2].map((n) => collect(noise, ask(`busy ${n}`, { maxTokens: 5_000 }), busy.signal))
    const third = collect(noise, ask('third'), waiting.signal)
    waiting.abort(new Error('left the queue'))
    await expect(third).rejects.toThrow('left the queue')
    busy.abort(new Error('done'))
    for (const reply of running) await expect(reply).rejects.toThrow('done')
    expect((await collect(noise, ask('third'))).end.usage.replyTokens).toBe(40)
  })

  it('a prompt read ahead is there when it is asked', async () => {
    const request = ask('something that will be asked soon, as the stable transcript says')
    await noise.prewarm?.(request, never)
    const { usage } = (await collect(noise, request)).end
    expect(unread(usage)).toBeLessThanOrEqual(16)
  })

  it('a reply is answered beside reading ahead, which ends', async () => {
    const ahead = noise.prewarm?.(ask('a very long story. '.repeat(150), { maxTokens: 1 }), never)
    expect((await collect(noise, ask('me first'))).end.usage.replyTokens).toBe(40)
    await ahead
  })

  it('a prompt over the window is a clear error, and the next turn works', async () => {
    const small = await open('noise', { contextTokens: 256, sequences: 1 })
    await expect(collect(small, ask('word '.repeat(200)))).rejects.toMatchObject({ code: 'context-overflow' })
    const { end } = await collect(small, ask('short', { maxTokens: 4_000 }))
    expect(end.finishReason).toBe('length')
    expect((end.usage.promptTokens ?? 0) + (end.usage.replyTokens ?? 0)).toBe(256)
  })

  it('tells its window without loading', async () => {
    const backend = await open('noise', { contextTokens: 1_000 })
    expect(await backend.models(never)).toEqual([
      expect.objectContaining({ name: 'tiny', loaded: false, contextTokens: 1_000, trainedContextTokens: 8_192 }),
    ])
    expect(backend.pid).toBeUndefined()
    await expect(backend.describe('llama', never)).rejects.toMatchObject({ code: 'model-missing' })
    await backend.load(never)
    expect(await backend.describe('tiny', never)).toMatchObject({ loaded: true })
  })

  it('a crash is a typed error, and the next turn starts the engine again', async () => {
    const backend = await open('noise')
    const { pid = 0 } = (await backend.load(never), backend)
    // It stands still, so that it cannot be through before it is ended.
    if (process.platform !== 'win32') process.kill(pid, 'SIGSTOP')
    const reply = backend.stream(ask('crash'), () => undefined, never)
    process.kill(pid, 'SIGKILL')
    await expect(reply).rejects.toMatchObject({ code: 'connection', fault: 'engine-crashed', retryable: true })
    const { end } = await collect(backend, ask('again'))
    expect(end.usage.replyTokens).toBe(40)
    expect(end.loadMs).toBeGreaterThan(0)
  })

  it('leaving while it loads does not wait for it', async () => {
    const backend = await open('noise')
    const controller = new AbortController()
    const reply = collect(backend, ask('hurry'), controller.signal)
    controller.abort(new Error('gone'))
    await expect(reply).rejects.toThrow('gone')
    await backend.close()
    expect(backend.pid).toBeUndefined()
  })

  it('closed, it leaves no process', async () => {
    const backend = await open('noise')
    await backend.load(never)
    const pid = backend.pid ?? 0
    await backend.close()
    expect(gone(pid)).toBe(true)
  })

  it('does not outlive its parent', async () => {
    const { fork } = await import('node:child_process')
    const child = fork(process.env['COLLOQUY_ENGINE_ENTRY'] ?? '', [], { execArgv: [] })
    await once(child, 'spawn')
    child.disconnect()
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
  })

  it('a model that the engine cannot load is one line', async () => {
    const modelPath = join(folder, 'strange.gguf')
    await writeTinyGguf(modelPath, { architecture: 'unheard-of' })
    const backend = await open('noise', { modelPath })
    const error: unknown = await collect(backend, ask('hello')).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'config', fault: 'not-loaded' })
    expect(String(error)).not.toContain('\n')
  })

  it('82: a model with other bytes than published is not loaded, and the one published is', async () => {
    const changed = await open('alphabet', { sha256: '0'.repeat(64), modelName: 'Tiny-1K' })
    await expect(changed.load(never)).rejects.toMatchObject({
      code: 'config',
      fault: 'model-changed',
      message: expect.stringMatching(/alphabet\.gguf has other bytes.*colloquy model pull Tiny-1K$/u),
    })
    await alphabet.load(never)
  })

  it('refuses what is no model, and an engine that is not there, before anything is started', async () => {
    const notes = join(folder, 'notes.txt')
    await writeFile(notes, 'not a model at all, but long enough to look at')
    await expect(open('noise', { modelPath: notes })).rejects.toThrow('not a GGUF model file')
    await expect(open('noise', { engineDir: folder })).rejects.toMatchObject({ fault: 'engine-missing' })
  })

  it('offers no tools, and says so', async () => {
    const tools = [{ name: 'light', description: 'Switches the light', parameters: {} }]
    await expect(collect(noise, ask('light on', { tools }))).rejects.toMatchObject({
      fault: 'capability',
      message: expect.stringContaining('fallback.models'),
    })
  })
})
