import { createInterface } from 'node:readline'
import { LlmError } from '../index.ts'
import type { ExitCode } from './command.ts'
import { changeModel } from './change-model.ts'
import { openService, type Opening, type OpenService } from './open-service.ts'
import { reportOutcome } from './report-outcome.ts'
import { streamReply } from './stream-reply.ts'
import type { Terminal } from './terminal.ts'

const slashCommands = '/model NAME, /state and /quit'

interface Talk {
  /** What the open service was opened with. */
  opening: Opening
  terminal: Terminal
  asJson: boolean
  leaving: AbortController
  open: OpenService
  /** Turns that have not ended. */
  running: Set<Promise<void>>
  /** A turn has failed. */
  failed: boolean
}

/**
 * A conversation, line by line. At a terminal a line that comes while a reply is being made interrupts it, as speech
 * would; Ctrl-C interrupts the reply, and leaves where there is none. Through a pipe each line waits for the reply to
 * the one before. Resolves with 1 when a turn failed.
 */
export async function converse({ asJson, ...given }: Omit<Opening, 'signal'> & { asJson: boolean }): Promise<ExitCode> {
  const { terminal } = given
  const isInteractive = terminal.input.isTTY === true
  const leaving = new AbortController()
  const lines = createInterface({ input: terminal.input, crlfDelay: Infinity })
  // begins to listen now: what is piped in while the service is being opened is kept
  const incoming = lines[Symbol.asyncIterator]()
  let talk: Talk | undefined
  const stopListening = terminal.onInterrupt(() => {
    if (talk !== undefined && talk.running.size > 0) return talk.open.service.conversation().interrupt()
    leaving.abort(new LlmError('config', { message: 'stopped by Ctrl-C' }))
    lines.close()
  })
  try {
    const opening = { ...given, signal: leaving.signal }
    const open = await openService(opening)
    talk = { opening, terminal, asJson, leaving, open, running: new Set(), failed: false }
    if (isInteractive) await greet(talk)
    await hearLines(incoming, talk, isInteractive)
    return talk.failed ? 1 : 0
  } finally {
    stopListening()
    lines.close()
    await talk?.open.close()
  }
}

async function greet({ open, terminal: { output } }: Talk): Promise<void> {
  output.lines(`Talking with ${open.where}. There are ${slashCommands}; Ctrl-C leaves.`)
  const conversation = open.service.conversation()
  await conversation.ready
  const { length } = conversation.history.filter(({ role }) => role !== 'tool')
  if (length > 0) output.lines(`Going on after ${length} turn${length === 1 ? '' : 's'}.`)
}

async function hearLines(incoming: AsyncIterator<string>, talk: Talk, isInteractive: boolean): Promise<void> {
  const { running, terminal, leaving } = talk
  const prompt = () => {
    if (isInteractive && running.size === 0) terminal.output.write('> ')
  }
  for (;;) {
    prompt()
    const next = await incoming.next()
    if (next.done === true || leaving.signal.aborted) break
    const line = next.value.trim()
    if (line.startsWith('/')) {
      if (!(await obey(line, talk))) break
    } else if (line !== '') {
      const turn = takeTurn(line, talk)
      running.add(turn)
      const over = turn.finally(() => {
        running.delete(turn)
        prompt()
      })
      if (!isInteractive) await over
    }
  }
  if (isInteractive) talk.open.service.conversation().interrupt()
  await Promise.all(running)
}

/** One typed turn, to its end. Never rejects: a turn that fails is told, and the conversation goes on. */
async function takeTurn(text: string, talk: Talk): Promise<void> {
  const { terminal, asJson } = talk
  const conversation = talk.open.service.conversation()
  const printed = asJson ? undefined : streamReply(conversation.deltas, terminal.output)
  try {
    const outcome = await conversation.ask(text)
    printed?.end(outcome)
    reportOutcome(outcome, terminal, asJson)
    if (outcome.ending === 'failed') talk.failed = true
  } catch (error) {
    tell(error, talk)
  }
}

/** False: leave. */
async function obey(line: string, talk: Talk): Promise<boolean> {
  const [word = '', name = ''] = line.slice(1).split(/\s+/)
  const { errors } = talk.terminal
  switch (word) {
    case 'quit':
    case 'exit':
      return false
    case 'state':
      errors.lines(await state(talk))
      return true
    case 'model':
      if (name === '') errors.lines('name the model: /model NAME')
      else await useModel(name, talk)
      return true
    default:
      errors.lines(`colloquy: unknown command /${word}; there are ${slashCommands}`)
      return true
  }
}

async function state({ open }: Talk): Promise<string> {
  const conversation = open.service.conversation()
  await conversation.ready
  const value = JSON.stringify(conversation.actor.getSnapshot().value)
  return `${value}, ${conversation.history.length} turns so far, with ${open.where}`
}

async function useModel(name: string, talk: Talk): Promise<void> {
  const { opening, open, trouble } = await changeModel(name, talk)
  Object.assign(talk, { opening, open })
  if (trouble !== undefined) return tell(trouble, talk)
  const how = opening.keeping === undefined ? 'begins anew' : 'goes on'
  talk.terminal.errors.lines(`Talking with ${name}; the conversation ${how}.`)
}

function tell(error: unknown, talk: Talk): void {
  talk.failed = true
  if (!(error instanceof LlmError)) throw error
  talk.terminal.errors.lines(`colloquy: ${error.message}`)
}
