import { LlmError } from '../index.ts'
import { configFlags, type Command, type ExitCode } from './command.ts'
import { converse } from './converse.ts'
import { openService, type Opening } from './open-service.ts'
import { openKeeping, storeFlag } from './open-store.ts'
import { UsageError } from './read-arguments.ts'
import { readSettings } from './read-settings.ts'
import { reportOutcome } from './report-outcome.ts'
import { streamReply } from './stream-reply.ts'

export const chat: Command = {
  name: 'chat',
  usage: '[--once TEXT] [--store FILE] [--json]',
  summary: 'A conversation in the terminal; through a pipe one line in, one reply out',
  flags: {
    once: { value: 'TEXT', meaning: 'say this, print the reply, leave' },
    json: { meaning: 'print a JSON object per reply: text, heard, ending, backend, model, timings' },
    ...storeFlag,
    ...configFlags,
  },
  async run(given, terminal) {
    const [word] = given.words
    if (word !== undefined) throw new UsageError(`chat takes no word; to say it once: colloquy chat --once '${word} …'`)
    const once = given.texts.get('once')
    if (once !== undefined && once.trim() === '') throw new UsageError('--once needs a text with at least one word')
    const settings = await readSettings(given, terminal)
    const asJson = given.switches.has('json')
    const keeping = await openKeeping(given, terminal)
    const talk = { settings, terminal, keeping, asJson }
    return once === undefined ? converse(talk) : sayOnce(once, talk)
  },
}

/** Ctrl-C gives up the setting-up, then interrupts the reply, which ends the command. */
async function sayOnce(
  text: string,
  { asJson, ...opening }: Omit<Opening, 'signal'> & { asJson: boolean },
): Promise<ExitCode> {
  const { terminal } = opening
  const leaving = new AbortController()
  const stopListening = terminal.onInterrupt(() =>
    leaving.abort(new LlmError('config', { message: 'stopped by Ctrl-C' })),
  )
  try {
    const { service, close } = await openService({ ...opening, signal: leaving.signal })
    try {
      const conversation = service.conversation()
      leaving.signal.addEventListener('abort', () => conversation.interrupt())
      const printed = asJson ? undefined : streamReply(conversation.deltas, terminal.output)
      const outcome = await conversation.ask(text)
      printed?.end(outcome)
      return reportOutcome(outcome, terminal, asJson)
    } finally {
      await close()
    }
  } finally {
    stopListening()
  }
}
