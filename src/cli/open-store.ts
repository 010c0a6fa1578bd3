import { resolve } from 'node:path'
import {
  createLlmService,
  sqliteStore,
  type BackendInfo,
  type ConversationStore,
  type LlmService,
  type LlmServiceOptions,
} from '../index.ts'
import { UsageError, type Arguments, type Flag } from './read-arguments.ts'
import type { Terminal } from './terminal.ts'

export const storeFlag = {
  store: { value: 'FILE', meaning: 'keep conversations in this SQLite file, and go on with what it holds' },
} satisfies Record<string, Flag>

/** Where a command keeps its conversations. */
export interface Keeping {
  file: string
  /** A service closes its store, so each gets one of its own. */
  store(): ConversationStore
  /** Looks at the file beside the service that writes it. */
  reader(): ConversationStore
}

/**
 * What `--store` asks for; undefined without it. Opens the file once, so that a path which cannot be used is told before
 * anything else is set up. Rejects with LlmError `store`.
 */
export async function openKeeping(given: Arguments, terminal: Terminal): Promise<Keeping | undefined> {
  if (!given.texts.has('store')) return undefined
  const file = storeFile(given, terminal)
  const keeping = {
    file,
    store: () => sqliteStore({ file }),
    reader: () => sqliteStore({ file, readOnly: true }),
  }
  const { setAside } = await withStore(keeping.store(), (_, opened) => Promise.resolve(opened))
  if (setAside !== undefined) {
    const { reason, to } = setAside
    terminal.errors.lines(`${file} could not be read (${reason}): a new one is begun, the old one is kept as ${to}.`)
  }
  return keeping
}

/**
 * A service that keeps its conversations where they are to be kept, and tells on stderr when it cannot. Rejects where
 * the configuration can never work; a server that does not answer yet may do so later.
 */
export async function initializedService(
  options: LlmServiceOptions,
  keeping: Keeping | undefined,
  { errors }: Terminal,
): Promise<{ service: LlmService; info: BackendInfo }> {
  const service = createLlmService(keeping === undefined ? options : { ...options, store: keeping.store() })
  service.events.subscribe((event) => {
    if (event.type === 'ERROR_OCCURRED' && event.code === 'store') errors.lines(`colloquy: ${event.message}`)
  })
  try {
    return { service, info: await service.initialize() }
  } catch (error) {
    await service.close()
    throw error
  }
}

/** The path that `--store` names. */
export function storeFile({ texts }: Arguments, { folder }: Terminal): string {
  const named = texts.get('store')
  if (named === undefined) throw new UsageError('name the file that holds the conversations: --store FILE')
  return resolve(folder, named)
}

/** Opens a store for one piece of work, and closes it however that ends. */
export async function withStore<Result>(
  store: ConversationStore,
  work: (store: ConversationStore, opened: Awaited<ReturnType<ConversationStore['open']>>) => Promise<Result>,
): Promise<Result> {
  try {
    return await work(store, await store.open())
  } finally {
    await store.close()
  }
}
