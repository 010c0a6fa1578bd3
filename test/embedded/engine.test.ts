import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BackendRecord, ChatRequest } from '../../src/backends/contract.ts'
import {
  createEmbeddedBackend,
  type EmbeddedBackend,
  type EmbeddedOptions,
} from '../../src/backends/embedded/embedded.ts'
import { provisionEngine } from '../../src/provision/provision-engine.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { writeTinyGguf } from '../../src/testing/tiny-gguf.ts'

const never = new AbortController().signal

describe.skipIf(process.env['COLLOQUY_SKIP_ENGINE'] === '1')('the embedded engine', () => {
  let folder: string
  let engineDir: string
  const opened: EmbeddedBackend[] = []

  async function open(says: 'noise' | 'alphabet', options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedBackend> {
    const modelPath = join(folder, `${says}.gguf`)
    await writeTinyGguf(modelPath, { says })
    const backend = await createEmbeddedBackend({ engineDir, modelPath, modelName: 'tiny', ...options })
    opened.push(backend)
    return backend
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colloquy-engine-'))
    // Where the registry is out of reach this fails, with the reason in a line; COLLOQUY_SKIP_ENGINE=1 goes without.
    engineDir = await provisionEngine({ clock: systemClock })
  }, 300_000)

  afterAll(async () => {
    await Promise.all(opened.map((backend) => backend.close()))
    await rm(folder, { recursive: true, force: true })
  })

  const ask = (content: string, more: Partial<ChatRequest> = {}): ChatRequest => ({
    model: 'tiny',
    messages: [
      { role: 'system', content: 'You are tiny.' },
      { role: 'user', content },
    ],
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
    const { text, end } = await collect(await open('alphabet'), ask('hello'))
    expect(text).toBe('abcdefghijklmnopqrstuvwxyz')
    expect(end.finishReason).toBe('stop')
    expect(end.usage.replyTokens).toBe(26)
  })

  it('streams noise', async () => {
    const { text, end, records } = await collect(await open('noise'), ask('hello'))
    console.log(text, end, records.length)
    expect(end.finishReason).toBe('length')
  })
})
