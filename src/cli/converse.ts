import { createInterface } from 'node:readline'
import type { Settings } from '../config/config.ts'
import type { Conversation } from '../index.ts'
import type { ExitCode } from './command.ts'
import { openService, type OpenService } from './open-service.ts'
import { reportOutcome } from './report-outcome.ts'
import { streamReply } from './stream-reply.ts'
import { print, type Printer, type Terminal } from './terminal.ts'

const prompt = '> '
const slashHelp = 'there are /model NAME, /state and /quit'

/**
 * A conversation, line by line. At a terminal a line that comes while a reply is being made interrupts it, as speech
 * would; Ctrl-C interrupts the reply, and leaves where there is none. Through a pipe each line waits for the reply to
 * the one before. Resolves with 1 when a turn failed.
 */
export async function converse(
  settings: Settings,
  terminal: Terminal,
  { asJson }: { asJson: boolean },
): Promise<ExitCode> {
  const isInteractive = terminal.input.isTTY === true
  const chatter: Printer = isInteractive ? terminal.output : terminal.errors
  const leaving = new AbortController()
  let open: OpenService | undefined
  let conversation: Conversation | undefined
  let replying = 0
  let result: ExitCode = 0
  let model = settings.defaultModel

  const stopListening = terminal.onInterrupt(() => onInterrupt())
  const lines = createInterface({ input: terminal.input, crlfDelay: Infinity })
  // keeps what is piped in until it is asked for, also while the service is being opened
  const incoming = lines[Symbol.asyncIterator]()

  function onInterrupt(): void {
    if (replying > 0 && conversation !== undefined) return conversation.interrupt()
    leaving.abort(new Error('stopped by Ctrl-C'))
    lines.close()
    terminal.input.destroy()
  }

  const ready = () => {
    if (isInteractive) terminal.output.write(prompt)
  }

  async function answer(text: string): Promise<void> {
    if (conversation === undefined) return
    replying += 1
    try {
      const printed = asJson ? undefined : streamReply(conversation.deltas, terminal.output)
      const outcome = await conversation.ask(text)
      printed?.end(outcome)
      if (outcome.ending === 'failed') result = 1
      reportOutcome(outcome, terminal, asJson)
    } finally {
      replying -= 1
    }
    if (replying === 0) ready()
  }

  async function change(name: string): Promise<void> {
    if (name === '')
      return print(chatter, `the model is ${model ?? 'the first one the server has'}; /model NAME changes it`)
    await open?.close()
    open = await openService(
      { ...settings, defaultModel: name, fallback: { ...settings.fallback, models: [] } },
      terminal,
      leaving.signal,
    )
    conversation = open.service.conversation()
    model = name
    print(chatter, `now talking with ${name}; the conversation begins anew`)
  }

  function tellState(): void {
    const value = conversation?.actor.getSnapshot().value
    const turns = conversation?.history.length ?? 0
    print(chatter, `${JSON.stringify(value)}, ${turns} turns so far, replies by ${open?.where ?? 'nobody'}`)
  }

  /** false: leave. */
  async function obey(line: string): Promise<boolean> {
    const [word = '', ...rest] = line.slice(1).split(/\s+/)
    if (word === 'quit' || word === 'exit') return false
    if (word === 'model') await change(rest.join(' '))
    else if (word === 'state') tellState()
    else print(chatter, `unknown command /${word}; ${slashHelp}`)
    return true
  }

  try {
    open = await openService(settings, terminal, leaving.signal)
    conversation = open.service.conversation()
    if (isInteractive) print(chatter, `Talking with ${open.where}. /quit or Ctrl-C leaves; ${slashHelp}.`)
    ready()
    const running = new Set<Promise<void>>()
    for (;;) {
      const next = await incoming.next()
      if (next.done === true || leaving.signal.aborted) break
      const line = next.value.trim()
      if (line.startsWith('/')) {
        if (!(await obey(line))) break
        ready()
      } else if (line !== '') {
        const answering = answer(line)
        running.add(answering)
        if (!isInteractive) await answering
        else answering.finally(() => running.delete(answering)).catch(() => lines.close())
      } else ready()
    }
    if (leaving.signal.aborted || isInteractive) conversation.interrupt()
    await Promise.all(running)
    return result
  } finally {
    stopListening()
    lines.close()
    await open?.close()
  }
}
