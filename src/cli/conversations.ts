import { suggestion } from '../config/nearest.ts'
import { LlmError, readStoredConversation, sqliteStore, type ConversationStore, type Turn } from '../index.ts'
import { keptHistory } from '../server/kept-history.ts'
import { jsonFlag, type Command, type ExitCode } from './command.ts'
import { exportConversations } from './export-conversations.ts'
import { storeFile, withStore } from './open-store.ts'
import { plain } from './plain.ts'
import { UsageError } from './read-arguments.ts'
import { table } from './table.ts'
import type { Printer, Terminal } from './terminal.ts'

const verbs = ['list', 'show', 'export', 'delete']

interface Task {
  file: string
  ids: string[]
  terminal: Terminal
  asJson: boolean
}

export const conversations: Command = {
  name: 'conversations',
  usage: 'list | show ID | export [ID] | delete ID… --store FILE [--json]',
  summary: 'What a store holds: lists, shows, exports as JSON lines, deletes',
  flags: { store: { value: 'FILE', meaning: 'the SQLite file that conversations are kept in' }, ...jsonFlag },
  async run(given, terminal) {
    const [verb, ...ids] = given.words
    checkWords(verb, ids)
    const task = { file: storeFile(given, terminal), ids, terminal, asJson: given.switches.has('json') }
    if (verb === 'delete') return remove(task)
    // Beside whoever writes the file; and one that is not there is not made.
    return withStore(sqliteStore({ file: task.file, readOnly: true }), (store) => look(verb, store, task))
  },
}

function checkWords(verb: string | undefined, ids: readonly string[]): void {
  if (verb === undefined) throw new UsageError(`say what to do: colloquy conversations ${conversations.usage}`)
  if (!verbs.includes(verb)) {
    const near = suggestion(verb, verbs)
    throw new UsageError(`unknown word ${verb}${near === '' ? `; there are ${verbs.join(', ')}` : near}`)
  }
  const [first, second] = ids
  if (verb === 'list' && first !== undefined)
    throw new UsageError(`conversations list takes no id; did you mean: colloquy conversations show ${quoted(first)}`)
  if ((verb === 'show' || verb === 'delete') && first === undefined)
    throw new UsageError(`name the conversation: colloquy conversations ${verb} ID; conversations list tells which`)
  if (verb !== 'delete' && second !== undefined) {
    const whole = quoted(ids.join(' '))
    throw new UsageError(`conversations ${verb} takes one id, and ${second} is a second one; or is it ${whole}?`)
  }
}

function look(verb: string | undefined, store: ConversationStore, task: Task): Promise<ExitCode> {
  if (verb === 'list') return list(store, task)
  return verb === 'show' ? show(store, task) : exportAll(store, task)
}

async function list(store: ConversationStore, { file, terminal: { output }, asJson }: Task): Promise<ExitCode> {
  const summaries = await store.list()
  if (asJson) output.json(summaries, 2)
  else if (summaries.length === 0) output.lines(`There are no conversations in ${file} yet.`)
  else {
    const rows = summaries.map(({ conversationId, lines, createdAt, updatedAt }) => [
      conversationId,
      String(lines),
      toSeconds(createdAt),
      toSeconds(updatedAt),
    ])
    output.lines(...table([['id', 'lines', 'begun (UTC)', 'last (UTC)'], ...rows]))
  }
  return 0
}

async function show(store: ConversationStore, { ids, terminal: { output }, asJson }: Task): Promise<ExitCode> {
  const [id = ''] = ids
  const stored = await store.load(id)
  if (stored === undefined) throw await unknown(store, [id])
  const read = readStoredConversation(id, stored)
  if (!read.ok) {
    const message = `what is kept of ${id} cannot be used: ${read.reason}; conversations export prints its lines as they are`
    throw new LlmError('store', { message })
  }
  const history = keptHistory(read.remembered)
  if (asJson) output.json(history, 2)
  else tell(history, output)
  return 0
}

function tell(history: readonly Turn[], output: Printer): void {
  if (history.length === 0) output.lines('Nobody has said anything yet.')
  for (const turn of history) {
    const [first = '', ...more] = plain(turn.text.trim()).split('\n')
    output.lines(
      `${nameOf(turn)}${turn.interrupted === true ? ' (cut)' : ''}: ${first}`,
      ...more.map((line) => `  ${line}`),
    )
  }
}

function nameOf({ role, speaker, call }: Turn): string {
  if (role === 'tool') return `${call?.name ?? 'a function'}()`
  return role === 'assistant' ? 'assistant' : (speaker ?? 'caller')
}

async function exportAll(store: ConversationStore, { ids, terminal: { output } }: Task): Promise<ExitCode> {
  const known = (await store.list()).map(({ conversationId }) => conversationId)
  const [id] = ids
  if (id !== undefined && !known.includes(id)) throw await unknown(store, [id])
  const refused = await exportConversations(store, id === undefined ? known.toReversed() : [id], output)
  if (refused.length === 0) return 0
  const which = refused.map(({ conversationId, reason }) => `${conversationId} (${reason})`).join(', ')
  throw new LlmError('store', { message: `printed as it is, but damaged or changed since it was written: ${which}` })
}

/** What is there goes; what is not there is told afterwards. */
async function remove({ file, ids, terminal: { output }, asJson }: Task): Promise<ExitCode> {
  // Whoever opens a file to write it makes it, and puts a damaged one aside: neither is asked for here.
  await withStore(sqliteStore({ file, readOnly: true }), (store) => store.list())
  return withStore<ExitCode>(sqliteStore({ file }), async (store, { setAside }) => {
    if (setAside !== undefined) {
      const message = `${file} could not be read (${setAside.reason}), so it is now ${setAside.to}; nothing was deleted`
      throw new LlmError('store', { message })
    }
    const deleted: string[] = []
    const missing: string[] = []
    for (const id of new Set(ids)) ((await store.delete(id)) ? deleted : missing).push(id)
    if (asJson) output.json({ deleted })
    else output.lines(...deleted.map((id) => `Deleted ${id}.`))
    if (missing.length > 0) throw await unknown(store, missing, ids)
    return 0
  })
}

async function unknown(store: ConversationStore, missing: readonly string[], words = missing): Promise<LlmError> {
  const known = (await store.list()).map(({ conversationId }) => conversationId)
  const whole = words.join(' ')
  const [first = ''] = missing
  const near = known.includes(whole) ? `; did you mean ${quoted(whole)}?` : suggestion(first, known)
  const named = missing.join(', ')
  const message = `there is no conversation ${named}${near === '' ? '; colloquy conversations list tells which there are' : near}`
  return new LlmError('store', { message, fault: 'missing' })
}

function quoted(id: string): string {
  return /^[\w.:@-]+$/u.test(id) ? id : `'${id}'`
}

function toSeconds(at: string): string {
  return at.replace('T', ' ').replace(/\.\d+Z$/u, '')
}
