import type { Arguments, Flag } from './read-arguments.ts'
import type { Terminal } from './terminal.ts'

/** 0 fine, 1 the thing asked for failed, 2 wrong usage. */
export type ExitCode = 0 | 1 | 2

export interface Command {
  name: string
  /** What follows the name, in the help. */
  usage: string
  summary: string
  flags: Readonly<Record<string, Flag>>
  run(given: Arguments, terminal: Terminal): Promise<ExitCode>
}

export const configFlags = {
  config: { value: 'FILE', meaning: 'configuration file; default: colloquy.json, if it is there' },
  'base-url': { value: 'URL', meaning: 'address of the server; it never falls back to the embedded engine' },
  model: { value: 'NAME', meaning: 'model to ask, and no other; a path ending in .gguf for the embedded engine' },
  'api-key': { value: 'KEY', meaning: 'bearer token (better: the variable COLLOQUY_API_KEY)' },
  'api-type': { value: 'TYPE', meaning: 'auto, ollama-chat, ollama-generate, openai or embedded' },
} satisfies Record<string, Flag>

export const jsonFlag = { json: { meaning: 'print JSON' } } satisfies Record<string, Flag>
