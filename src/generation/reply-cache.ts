import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import type { Clock, ReplyInput } from '../../machines/vocabulary.ts'
import type { Settings } from '../config/config.ts'
import type { Remembered } from './recall.ts'
import type { FactsOf } from './reply-facts.ts'
import type { Character, GenerationNote, ReplyConversation } from './types.ts'

/**
 * Where replies are kept; the default is memory. A store that fails, or gives something that is no reply, is a miss and
 * is reported; one that takes longer than 100 ms is a miss.
 */
export interface CacheStore {
  get(key: string): Promise<Remembered | undefined>
  set(key: string, words: Remembered): Promise<void>
}

const Reply = z.object({
  text: z.string().regex(/\S/u),
  model: z.string(),
  backend: z.string(),
  finishReason: z.enum(['stop', 'length', 'limit']),
})

/** Replies to requests that would be answered the same again. */
export interface ReplyCache {
  /** undefined at once where nothing can be remembered. */
  get(
    conversation: ReplyConversation,
    input: ReplyInput,
    signal: AbortSignal,
  ): Promise<Remembered | undefined> | undefined
  set(conversation: ReplyConversation, input: ReplyInput, words: Remembered): void
}

export function createReplyCache(options: {
  settings: Pick<Settings, 'cache' | 'baseUrl' | 'apiType' | 'limits'>
  clock: Clock
  store?: CacheStore
  factsOf: FactsOf
  report: (note: GenerationNote) => void
}): ReplyCache {
  const { settings, clock, report } = options
  const store = options.store ?? memoryStore(settings.cache, clock)

  /** Only what would be answered the same again. */
  function isRepeatable({ settings: { cache, generation } }: Character): boolean {
    return cache.enabled && (generation.temperature === 0 || generation.seed !== undefined)
  }

  /** Everything that could change the answer. */
  async function keyOf(conversation: ReplyConversation, input: ReplyInput, signal: AbortSignal): Promise<string> {
    const { settings: own, toolbox } = conversation.characterOf(input.replyId)
    const { systemPrompt, generation, context, cache, defaultModel, fallback } = own
    const messages = cache.scope === 'utterance' ? [input.text] : conversation.messages(input)
    const facts = await options.factsOf(conversation, input.replyId, signal)
    const asked = [systemPrompt, messages, facts, generation, context, toolbox.definitions]
    const where = [settings.baseUrl, settings.apiType, defaultModel, fallback.models]
    // Hashed, because the words of callers and the keys of fallbacks are nothing to hand to a store.
    return createHash('sha256')
      .update(JSON.stringify([asked, where, settings.limits.replyChars]))
      .digest('hex')
  }

  /** The key that each conversation's newest reply was looked up by: time may pass until it is complete. */
  const looked = new WeakMap<ReplyConversation, { replyId: string; key: string }>()

  const failed = (what: string) => (cause: unknown) => {
    report({ code: 'store', message: `the reply cache could not be ${what}; the reply goes on without it`, cause })
    return undefined
  }

  async function read(conversation: ReplyConversation, input: ReplyInput, signal: AbortSignal) {
    const key = await keyOf(conversation, input, signal)
    if (signal.aborted) return undefined
    looked.set(conversation, { replyId: input.replyId, key })
    const kept: unknown = await store.get(key)
    return kept === undefined || kept === null ? undefined : { ...Reply.parse(kept), cached: true, usage: {} }
  }

  async function write(key: string, words: Remembered): Promise<void> {
    await store.set(key, words)
  }

  return {
    get(conversation, input, signal) {
      if (!isRepeatable(conversation.characterOf(input.replyId))) return undefined
      return read(conversation, input, signal).catch(failed('read'))
    },
    set(conversation, { replyId }, words) {
      const asked = looked.get(conversation)
      if (asked?.replyId === replyId) write(asked.key, words).catch(failed('written'))
    },
  }
}

function memoryStore({ entries, ttlMs }: Settings['cache'], clock: Clock): CacheStore {
  // ttl 0 means forever to lru-cache and nothing to us.
  const lru = new LRUCache<string, Remembered>({
    max: entries,
    ttl: Math.max(1, ttlMs),
    ttlResolution: 0,
    perf: { now: () => clock.now() },
  })
  return {
    async get(key) {
      return lru.get(key)
    },
    async set(key, words) {
      lru.set(key, words)
    },
  }
}
