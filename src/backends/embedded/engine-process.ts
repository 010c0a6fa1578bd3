import { performance } from 'node:perf_hooks'
import { Engine, TooLong } from './engine.ts'
import { EngineCommand, type EngineReport } from './engine-messages.ts'
import type { LlamaModule } from './llama-api.ts'
import { sha256Of } from './sha256-of.ts'

/** The engine's own process: so that neither loading nor computing ever delays the event loop of a conversation. */

const running = new Map<number, AbortController>()
let engine: Engine | undefined
/** The service's clock does not reach into this process; here time is only measured, nothing waits for it. */
const now = (): number => performance.now()

const say = (report: EngineReport): void => {
  // The channel closes under us when the library leaves; `disconnect` then ends this process.
  if (process.connected) process.send?.(report, undefined, undefined, () => undefined)
}
const wording = (error: unknown): string => (error instanceof Error ? error.message : String(error))

async function open(command: Extract<EngineCommand, { type: 'open' }>): Promise<void> {
  const startedAt = now()
  const { modelPath, sha256 } = command
  try {
    if (sha256 !== undefined && (await sha256Of(modelPath)) !== sha256)
      return say({ type: 'not-opened', reason: 'changed', message: modelPath })
    const module: LlamaModule = await import(command.engine)
    engine = await Engine.open(module, command, now)
    say({ type: 'opened', contextTokens: engine.contextTokens, loadMs: now() - startedAt })
  } catch (error) {
    say({ type: 'not-opened', reason: 'engine', message: wording(error) })
  }
}

async function work(id: number, run: (engine: Engine, signal: AbortSignal) => Promise<EngineReport>): Promise<void> {
  const controller = new AbortController()
  running.set(id, controller)
  try {
    if (engine === undefined) throw new Error('the engine is not open')
    say(await run(engine, controller.signal))
  } catch (error) {
    const reason = controller.signal.aborted ? 'aborted' : error instanceof TooLong ? 'too-long' : 'engine'
    say({ type: 'failed', id, reason, message: wording(error) })
  } finally {
    running.delete(id)
  }
}

function obey(command: EngineCommand): Promise<void> | undefined {
  switch (command.type) {
    case 'open':
      return open(command)
    case 'abort':
      running.get(command.id)?.abort()
      return undefined
    case 'count':
      return work(command.id, async (ready) => ({
        type: 'counted',
        id: command.id,
        tokens: ready.countTokens(command.text),
      }))
    case 'prewarm':
      return work(command.id, async (ready, signal) => {
        await ready.prewarm(command.request, signal)
        return { type: 'counted', id: command.id, tokens: 0 }
      })
    case 'reply': {
      const { id, request } = command
      return work(id, async (ready, signal) => {
        const granted = () => say({ type: 'granted', id })
        const result = await ready.reply(request, granted, (text) => say({ type: 'text', id, text }), signal)
        return { type: 'ended', id, ...result }
      })
    }
  }
}

process.on('message', (message) => void obey(EngineCommand.parse(message)))
process.on('disconnect', () => process.exit(0))
// Ctrl-C goes to every process of the terminal; what it means is the library's business.
process.on('SIGINT', () => undefined)
