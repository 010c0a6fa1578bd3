import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock, ReplyInput } from '../../machines/vocabulary.ts'
import type { Settings } from '../config/config.ts'
import type { Remembered } from './recall.ts'
import type { Character, GenerationNote, ReplyConversation } from './types.ts'

/** Where replies are kept; the default is memory. A store that fails is a miss, and is reported. */
export interface CacheStore {
  get(key: string): Promise<Remembered | undefined>
  set(key: string, words: Remembered): Promise<void>
}

/** Replies to requests that would be answered the same again. */
export interface ReplyCache {
  /** undefined at once where nothing can be remembered. */
  get(conversation: ReplyConversation, input: ReplyInput): Promise<Remembered | undefined> | undefined
  set(conversation: ReplyConversation, input: ReplyInput, words: Remembered): void
}

export function createReplyCache(options: {
  settings: Pick<Settings, 'cache' | 'baseUrl' | 'apiType' | 'limits'>
  clock: Clock
  store?: CacheStore
  report: (note: GenerationNote) => void
}): ReplyCache {
  const { settings, clock, report } = options
  const store = options.store ?? memoryStore(settings.cache, clock)

  /** Only what would be answered the same again. */
  function isRepeatable({ settings: { cache, generation } }: Character): boolean {
    return cache.enabled && (generation.temperature === 0 || generation.seed !== undefined)
  }

  /** Everything that could change the answer. */
  function keyOf(conversation: ReplyConversation, input: ReplyInput, character: Character): string {
    const { systemPrompt, generation, context, cache, defaultModel, fallback } = character.settings
    const messages = cache.scope === 'utterance' ? [input.text] : conversation.messages(input)
    const asked = [systemPrompt, messages, character.facts?.(), generation, context, character.toolbox.definitions]
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

  return {
    get(conversation, input) {
      const character = conversation.characterOf(input.replyId)
      if (!isRepeatable(character)) return undefined
      const key = keyOf(conversation, input, character)
      looked.set(conversation, { replyId: input.replyId, key })
      return attempt(() => store.get(key)).then(
        (words) => words && { ...words, cached: true, usage: {} },
        failed('read'),
      )
    },
    set(conversation, input, words) {
      const character = conversation.characterOf(input.replyId)
      if (!isRepeatable(character)) return
      const before = looked.get(conversation)
      const key = before?.replyId === input.replyId ? before.key : keyOf(conversation, input, character)
      attempt(() => store.set(key, words)).catch(failed('written'))
    },
  }
}

/** Also what throws at once is a rejection. */
async function attempt<T>(run: () => Promise<T>): Promise<T> {
  return run()
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
