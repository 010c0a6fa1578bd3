/** The thread that SQLite blocks in the library's place. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { z } from 'zod'
import type { LlmError } from '../../backends/contract.ts'
import { conversationsIn, type Conversations } from './conversations.ts'
import { sqliteDriver } from './driver.ts'
import { storeError, toStoreError } from './faults.ts'
import { openStoreFile, type StoreFile } from './file.ts'
import { StoreCommand, StoreThreadSettings, type CommitCommand, type StoreReport } from './messages.ts'

if (parentPort === null) throw new Error('worker.ts runs in a worker thread alone.')
const port = parentPort
const settings = StoreThreadSettings.parse(workerData)
const { file } = settings

// Before the first message is heard: from here on nothing waits but for the disk.
const found = await sqliteDriver(settings.driver).then(
  (driver) => ({ driver }),
  (error: unknown) => ({ error }),
)

let open: (StoreFile & { conversations: Conversations }) | undefined
let refusal: unknown = storeError('closed', `The store at ${file} is not open.`)

function failed(id: number, error: unknown): StoreReport {
  const { message, retryable, fault = 'sqlite', cause } = toStoreError(error, file)
  const told = cause instanceof Error ? { cause: `${cause.name}: ${cause.message}` } : {}
  return { type: 'failed', id, message, retryable, fault, ...told }
}

function rows(): Conversations {
  if (open === undefined) throw refusal
  return open.conversations
}

function answer(command: Exclude<StoreCommand, CommitCommand>): StoreReport {
  const { id } = command
  switch (command.type) {
    case 'open': {
      if ('error' in found) throw found.error
      const opened = openStoreFile(found.driver, { ...settings, mayPutAside: command.mayPutAside })
      open = { ...opened, conversations: conversationsIn(opened.database, file) }
      return { type: 'opened', id, ...(opened.setAside && { setAside: opened.setAside }) }
    }
    case 'load': {
      const conversation = rows().load(command.conversationId)
      return {
        type: 'loaded',
        id,
        ...(conversation && { conversation: { ...conversation, lines: [...conversation.lines] } }),
      }
    }
    case 'set-aside':
      return {
        type: 'put-aside',
        id,
        to: `set_aside ${rows().setAside(command.conversationId, command.reason)} in ${file}`,
      }
    case 'list':
      return { type: 'listed', id, summaries: rows().list() }
    case 'delete': {
      const existed = rows().delete(command.conversationId)
      // Its words are gone from the file, not from the log of changes.
      open?.checkpoint()
      return { type: 'deleted', id, existed }
    }
    case 'close':
      // The port is all that holds the thread, which ends once this is answered.
      port.unref()
      open?.close()
      open = undefined
      return { type: 'closed', id }
  }
}

function commit(commands: readonly CommitCommand[]): void {
  if (commands.length === 0) return
  let results: (LlmError | undefined)[]
  try {
    results = rows().commit(commands.map(({ write }) => write))
    open?.confirm()
  } catch (error) {
    results = commands.map(() => toStoreError(error, file))
  }
  for (const [at, { id }] of commands.entries()) {
    const error = results[at]
    report(error === undefined ? { type: 'committed', id } : failed(id, error))
  }
}

const report = (told: StoreReport): void => port.postMessage(told)

/** What is there already beside `first`: commits that came while the disk was busy share the next sync. */
function* waiting(first: unknown): Generator<unknown> {
  yield first
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) yield next.message
}

port.on('message', (first: unknown) => {
  let commits: CommitCommand[] = []
  for (const message of waiting(first)) {
    const command = StoreCommand.safeParse(message)
    if (command.success && command.data.type === 'commit') {
      commits.push(command.data)
      continue
    }
    commit(commits)
    commits = []
    if (!command.success) {
      // Without zod's words, which may quote what was to be kept.
      const { id } = z.object({ id: z.number() }).parse(message)
      report(failed(id, storeError('bad-write', 'A line to keep is not of the form that ConversationStore describes.')))
    } else if (command.data.type !== 'commit') {
      try {
        report(answer(command.data))
      } catch (error) {
        // What was asked in one breath with it fails for the same reason.
        if (command.data.type === 'open') refusal = error
        report(failed(command.data.id, error))
      }
    }
  }
  commit(commits)
})
