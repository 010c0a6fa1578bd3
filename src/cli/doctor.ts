import type { Settings } from '../config/config.ts'
import { createLlmService, type Diagnosis } from '../index.ts'
import { configFlags, jsonFlag, type Command } from './command.ts'
import { isProvisioned } from './open-embedded.ts'
import { openService } from './open-service.ts'
import { UsageError } from './read-arguments.ts'
import { readSettings } from './read-settings.ts'
import type { Terminal } from './terminal.ts'

export const doctor: Command = {
  name: 'doctor',
  usage: '[--json]',
  summary: 'Looks at server, API, models and a first token, and says what to do; exit 1 when it cannot work',
  flags: { ...jsonFlag, ...configFlags },
  async run(given, terminal) {
    const [word] = given.words
    if (word !== undefined) throw new UsageError(`doctor takes no word like ${word}; name a server with --base-url`)
    const diagnosis = await examine(await readSettings(given, terminal), terminal)
    if (given.switches.has('json')) terminal.output.json(diagnosis, 2)
    else terminal.output.lines(...reportOf(diagnosis))
    return diagnosis.ok ? 0 : 1
  },
}

interface Report extends Diagnosis {
  /** What `colloquy chat` does when no server answers and none is configured. */
  embedded?: 'ready' | 'not set up'
}

/** Looks where `colloquy chat` would look, and fetches nothing. */
async function examine(settings: Settings, terminal: Terminal): Promise<Report> {
  const isChosen = settings.apiType === 'embedded'
  const server = isChosen ? null : await diagnoseServer(settings)
  if (server !== null && (server.ok || settings.baseUrl !== undefined || settings.apiType !== 'auto')) return server
  // a server that answers is used, for better or worse
  if (server?.steps.some(({ name, ok }) => name === 'http' && ok)) return server
  if (!(await isProvisioned(settings, terminal))) return notSetUp(server)
  const { service, close } = await openService({
    settings: { ...settings, apiType: 'embedded' },
    terminal,
    signal: new AbortController().signal,
  })
  try {
    return { ...(await service.diagnose()), embedded: 'ready' }
  } finally {
    await close()
  }
}

async function diagnoseServer(settings: Settings): Promise<Diagnosis> {
  const service = createLlmService(settings)
  try {
    return await service.diagnose()
  } finally {
    await service.close()
  }
}

function notSetUp(server: Diagnosis | null): Report {
  const detail = 'The embedded engine is not set up.'
  const next = 'Run "colloquy model pull", or just "colloquy chat": it sets the engine up by itself.'
  const step = { name: 'model' as const, ok: false, detail, next }
  return {
    ok: false,
    origin: server?.origin ?? 'embedded',
    steps: [...(server?.steps ?? []), step],
    embedded: 'not set up',
  }
}

function reportOf({ ok, origin, backend, model, steps }: Report): string[] {
  const width = Math.max(0, ...steps.map(({ name }) => name.length))
  const lines = steps.flatMap(({ ok: isGood, name, detail, next }) => [
    `${isGood ? 'ok  ' : 'FAIL'}  ${name.padEnd(width)}  ${detail}`,
    ...(next === undefined ? [] : [`${' '.repeat(width + 8)}${isGood ? 'hint' : 'do'}: ${next}`]),
  ])
  const verdict = ok
    ? `ready: ${[model, backend && `on ${backend}`].filter(Boolean).join(' ')}`
    : 'it cannot work like this'
  return [origin, '', ...lines, '', verdict]
}
