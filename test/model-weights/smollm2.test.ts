import { afterAll, describe, expect, inject, it } from 'vitest'
import type { ChatMessage } from '../../src/backends/contract.ts'
import { createEmbeddedBackend, type EmbeddedBackend } from '../../src/backends/embedded/embedded.ts'

const smollm2 = inject('smollm2')
const never = new AbortController().signal

describe.skipIf(smollm2 === undefined)('SmolLM2-135M in the embedded engine', () => {
  let opening: Promise<EmbeddedBackend> | undefined
  const backend = () => (opening ??= createEmbeddedBackend(smollm2 ?? { engineDir: '', modelPath: '', modelName: '' }))
  afterAll(async () => (await opening)?.close())

  async function say(messages: ChatMessage[], maxTokens = 60) {
    let text = ''
    const request = { model: 'SmolLM2-135M', messages, maxTokens, temperature: 0 }
    const end = await (
      await backend()
    ).stream(request, (record) => record.type === 'delta' && (text += record.text), never)
    return { text, end }
  }
  const system: ChatMessage = { role: 'system', content: 'You are a helpful assistant.' }

  it('answers a question in words', async () => {
    const { text, end } = await say([system, { role: 'user', content: 'What is the capital of France?' }])
    expect(text).toContain('Paris')
    expect(text).not.toContain('<|')
    expect(end.usage.promptTokens).toBeGreaterThan(10)
  })

  it('reads only what is new of the second turn', async () => {
    const first: ChatMessage[] = [system, { role: 'user', content: 'Name a colour of the rainbow.' }]
    const { text } = await say(first, 30)
    const { end } = await say(
      [...first, { role: 'assistant', content: text }, { role: 'user', content: 'Another one?' }],
      30,
    )
    const { promptTokens = 0, cachedPromptTokens = 0 } = end.usage
    expect(promptTokens - cachedPromptTokens).toBeLessThan(25)
  })

  it('says the same twice at temperature 0', async () => {
    const messages: ChatMessage[] = [system, { role: 'user', content: 'Tell me something about the sea.' }]
    const one = await say(messages)
    expect((await say(messages)).text).toBe(one.text)
  })

  it('stops by itself', async () => {
    const { end } = await say([system, { role: 'user', content: 'Say hello.' }], 300)
    expect(end.finishReason).toBe('stop')
  })
})
