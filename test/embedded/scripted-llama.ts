import type { LlamaModule, LlamaSequence, Token } from '../../src/backends/embedded/llama-api.ts'

export interface ScriptedLlama {
  module: LlamaModule
  /** Slices of prompts that the engine has asked for so far. */
  readonly slices: readonly (readonly Token[])[]
  /** Resolves once that many slices have been asked for. */
  sliced(count: number): Promise<void>
  /** Answers the slice that is being read, and reads all further ones at once where `rest` is set. */
  read(rest?: 'rest'): void
}

/**
 * The engine's library without a model: a character is a token, a reply is `ok`, and every slice of a prompt waits to be
 * read on command.
 */
export function scriptedLlama(): ScriptedLlama {
  const slices: (readonly Token[])[] = []
  const running: (() => void)[] = []
  const waiting = new Set<{ count: number; resolve: () => void }>()
  let isFree = false

  function sequence(): LlamaSequence {
    const held: Token[] = []
    return {
      get contextTokens() {
        return [...held]
      },
      get nextTokenIndex() {
        return held.length
      },
      eraseContextTokenRanges(ranges) {
        for (const { start, end } of ranges) held.splice(start, end - start)
        return Promise.resolve()
      },
      async evaluateWithoutGeneratingNewTokens(tokens) {
        slices.push(tokens)
        for (const one of waiting) if (slices.length >= one.count && waiting.delete(one)) one.resolve()
        if (!isFree) await new Promise<void>((resolve) => running.push(resolve))
        held.push(...tokens)
      },
      async *evaluate(tokens) {
        held.push(...tokens)
        for (const token of tokensOf('ok')) {
          held.push(token)
          yield token
        }
        yield end
      },
    }
  }

  const text = (value: string) => ({ values: [value], tokenize: () => tokensOf(value) })
  const model = {
    tokenizer: undefined,
    tokens: { bos: null, shouldPrependBosToken: false },
    tokenize: tokensOf,
    detokenize: (tokens: readonly Token[]) => String.fromCodePoint(...tokens),
    isEogToken: (token: Token) => token === end,
    getTokenAttributes: () => ({ control: false }),
    createContext: ({ contextSize }: { contextSize: number }) =>
      Promise.resolve({ contextSize, getSequence: sequence }),
  }
  return {
    module: {
      getLlama: () => Promise.resolve({ loadModel: () => Promise.resolve(model) }),
      resolveChatWrapper: () => ({
        generateContextState: ({ chatHistory }) => ({
          contextText: text(chatHistory.map((item) => ('text' in item ? item.text : item.response.join(''))).join('')),
          stopGenerationTriggers: [],
        }),
      }),
    },
    slices,
    sliced: (count) =>
      new Promise((resolve) => {
        if (slices.length >= count) resolve()
        else waiting.add({ count, resolve })
      }),
    read(rest) {
      if (rest !== undefined) isFree = true
      for (const resolve of running.splice(0)) resolve()
    },
  }
}

const end = 0
const tokensOf = (text: string): Token[] => Array.from(text, (character) => character.codePointAt(0) ?? 0)
