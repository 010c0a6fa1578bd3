import { startInspector } from '../inspection/index.ts'
import { checkAccess, startServer, type RunningServer } from '../server/start-server.ts'
import { chooseService, type ChosenService } from './choose-service.ts'
import { configFlags, type Command, type ExitCode } from './command.ts'
import { openKeeping, storeFlag } from './open-store.ts'
import { UsageError, type Arguments } from './read-arguments.ts'
import { readSettings } from './read-settings.ts'
import type { Terminal } from './terminal.ts'
import { version } from './version.ts'

const usualPort = 4_747

export const start: Command = {
  name: 'start',
  usage: '[--port 4747] [--host 127.0.0.1] [--token SECRET] [--store FILE] [--inspect] [--json]',
  summary: 'Serves the page, HTTP and the WebSocket, with whatever model there is',
  flags: {
    port: { value: 'PORT', meaning: 'where to listen; the next free one when it is taken. Default 4747' },
    host: { value: 'HOST', meaning: 'address to listen on; default 127.0.0.1, this machine alone' },
    token: { value: 'SECRET', meaning: 'bearer token to demand; needed when other machines may come in' },
    ...storeFlag,
    inspect: { meaning: 'serve the inspector too: every actor, chart and event, on this machine alone' },
    json: { meaning: 'print one JSON object when ready: url, port, who answers' },
    ...configFlags,
  },
  async run(given, terminal) {
    const [word] = given.words
    if (word !== undefined) throw new UsageError(`start takes no word; did you mean: colloquy start --model ${word}`)
    const port = portOf(given)
    checkAccess({ host: given.texts.get('host'), token: given.texts.get('token') })
    const leaving = new AbortController()
    const leave = () => leaving.abort(new Error('stopped by Ctrl-C'))
    const stopListening = terminal.onInterrupt(leave)
    process.once('SIGTERM', leave)
    try {
      return await serve(given, { terminal, port, signal: leaving.signal })
    } catch (error) {
      if (leaving.signal.aborted) return 0
      throw error
    } finally {
      stopListening()
      process.off('SIGTERM', leave)
    }
  },
}

async function serve(
  given: Arguments,
  { terminal, port, signal }: { terminal: Terminal; port: number; signal: AbortSignal },
): Promise<ExitCode> {
  const settings = await readSettings(given, terminal)
  const keeping = await openKeeping(given, terminal)
  const reader = keeping?.reader()
  const inspector = given.switches.has('inspect') ? await startInspector() : undefined
  let chosen: ChosenService | undefined
  let server: RunningServer | undefined
  try {
    const options = inspector === undefined ? {} : { inspect: inspector.inspect }
    chosen = await chooseService({ settings, terminal, signal, options, keeping })
    const host = given.texts.get('host')
    const token = given.texts.get('token')
    server = await startServer({
      service: chosen.service,
      answering: chosen.answering,
      port,
      version: version(),
      limits: { utteranceChars: settings.limits.utteranceChars },
      ...(host === undefined ? {} : { host }),
      ...(token === undefined ? {} : { token }),
      ...(reader === undefined ? {} : { kept: reader }),
    })
    announce(server, {
      chosen,
      terminal,
      port,
      asJson: given.switches.has('json'),
      inspectorUrl: inspector?.url,
      storeFile: keeping?.file,
    })
    await aborted(signal)
    return 0
  } finally {
    await server?.close()
    await reader?.close()
    await chosen?.close()
    await inspector?.close()
  }
}

interface Announcement {
  chosen: ChosenService
  terminal: Terminal
  port: number
  asJson: boolean
  inspectorUrl: string | undefined
  storeFile: string | undefined
}

function announce(
  server: RunningServer,
  { chosen: { answering }, terminal, port, asJson, inspectorUrl, storeFile }: Announcement,
): void {
  if (server.port !== port && port !== 0) terminal.errors.lines(`Port ${port} is taken: using ${server.port}.`)
  if (asJson) {
    const { url, host, port: bound } = server
    const inspector = inspectorUrl === undefined ? {} : { inspector: inspectorUrl }
    const store = storeFile === undefined ? {} : { store: storeFile }
    return terminal.output.json({ url, host, port: bound, answering, ...inspector, ...store })
  }
  if (answering.notice !== undefined) terminal.errors.lines(answering.notice)
  terminal.output.lines('', `  ${server.url}`, '')
  const who = answering.isLanguageModel
    ? `${answering.model ?? 'the model of the server'}, ${placeOf[answering.kind]}`
    : 'the scripted responder (not a language model)'
  terminal.output.lines(`  Open it in a browser and talk with ${who}. Ctrl-C ends.`)
  if (storeFile !== undefined) terminal.output.lines(`  Conversations are kept in ${storeFile}`)
  if (inspectorUrl !== undefined) terminal.output.lines(`  The inspector: ${inspectorUrl}`)
}

const placeOf = {
  configured: 'on the configured server',
  ollama: 'on Ollama',
  embedded: 'in an engine of its own on this machine',
  scripted: 'by script',
} as const

function portOf({ texts }: Arguments): number {
  const written = texts.get('port')
  if (written === undefined) return usualPort
  const port = Number(written)
  if (!/^\d+$/u.test(written) || port > 65_535) throw new UsageError('--port must be a whole number from 0 to 65535')
  return port
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
