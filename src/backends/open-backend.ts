import type { Backend, BackendName } from './contract.ts'
import { ollamaChat } from './ollama/chat.ts'
import { ollamaGenerate } from './ollama/generate.ts'
import { openAi } from './openai/chat.ts'
import type { ServerOptions } from './server-options.ts'

/** The dialects of servers, in the order in which `auto` tries them. */
export const serverDialects = ['ollama-chat', 'ollama-generate', 'openai'] as const
export type ServerDialect = Extract<BackendName, (typeof serverDialects)[number]>

/** A backend for a server whose dialect is known. Nothing is sent yet. Throws `config` for an impossible address. */
export function openBackend(name: ServerDialect, options: ServerOptions): Backend {
  switch (name) {
    case 'ollama-chat':
      return ollamaChat(options)
    case 'ollama-generate':
      return ollamaGenerate(options)
    case 'openai':
      return openAi(options)
  }
}
