import type { Backend, BackendEnd, BackendRecord, ChatMessage, ChatRequest } from '../src/backends/contract.ts'

/** Four characters a token, as the estimate starts out for Latin script: counting is not what is measured here. */
export const tokensOf = (text: string) => Math.ceil(text.length / 4)

/** A server with one slot that reuses the longest common prefix of its last prompt, as local servers do. */
export interface PrefixServer extends Backend {
  /** Prompt tokens read again while a caller waited, turn by turn. */
  readonly evaluated: readonly number[]
  /** Prompt tokens read while nobody waited. */
  readonly ahead: number
  /** What it will answer next. */
  next: string
}

export function prefixServer(contextTokens: number): PrefixServer {
  const evaluated: number[] = []
  let cached = ''
  let ahead = 0
  const written = (messages: readonly ChatMessage[]) =>
    messages.map(({ role, content }) => `<${role}>${content}</${role}>`).join('')

  function read(messages: readonly ChatMessage[]): { promptTokens: number; cachedPromptTokens: number } {
    const prompt = written(messages)
    let common = 0
    while (common < prompt.length && prompt[common] === cached[common]) common += 1
    cached = prompt
    return { promptTokens: tokensOf(prompt), cachedPromptTokens: Math.floor(common / 4) }
  }

  return {
    name: 'scripted',
    origin: 'bench://prefix-server',
    canAbortPrompt: true,
    next: '',
    evaluated,
    get ahead() {
      return ahead
    },
    async stream({ messages, model }: ChatRequest, on: (record: BackendRecord) => void): Promise<BackendEnd> {
      const usage = read(messages)
      evaluated.push(usage.promptTokens - usage.cachedPromptTokens)
      on({ type: 'connected' })
      on({ type: 'headers', status: 200 })
      for (const text of this.next.match(/\s*\S+/gu) ?? []) on({ type: 'delta', kind: 'text', text })
      cached += `<assistant>${this.next}</assistant>`
      return { model, finishReason: 'stop', usage: { ...usage, replyTokens: tokensOf(this.next) } }
    },
    models: async () => [{ name: 'm1', loaded: true, contextTokens, chat: true }],
    describe: async (name) => ({ name, loaded: true, contextTokens }),
    async prewarm({ messages }: ChatRequest) {
      const usage = read(messages)
      ahead += usage.promptTokens - usage.cachedPromptTokens
    },
  }
}
