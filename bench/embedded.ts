/**
 * What the embedded engine takes: load time, time to first token by prompt length, speed, how soon an abort frees it,
 * what it does to the event loop, memory, one and four conversations at once. Prints Markdown.
 *
 *     npm run bench:embedded [-- MODEL]      a catalogue name or the path of a GGUF file
 */
import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { createEmbeddedBackend, type EmbeddedBackend } from '../src/backends/embedded/embedded.ts'
import { resolveModel } from '../src/provision/list-models.ts'
import { defaultModelName, findCatalogueModel } from '../src/provision/model-catalogue.ts'
import { provisionEngine } from '../src/provision/provision-engine.ts'
import { pullModel } from '../src/provision/pull-model.ts'
import { systemClock } from '../src/runtime/clock.ts'

const clock = systemClock
const never = new AbortController().signal
const wanted = process.argv[2] ?? defaultModelName
const engineDir = await provisionEngine({ clock })
const known = findCatalogueModel(wanted) !== undefined
const model = known ? await pullModel(wanted, { clock }) : await resolveModel(wanted)
if (model === undefined) throw new Error(`${wanted} is not there`)

const open = (sequences: number): Promise<EmbeddedBackend> =>
  createEmbeddedBackend({ engineDir, modelPath: model.path, modelName: 'bench', sequences })

const words = 'the sea is calm and the ship is slow but the wind will come before night and then we sail home '
let salt = 0
/** A prompt of about so many tokens that shares no prefix with another: its first words are its number. */
function prompt(tokens: number): string {
  const number = String(++salt).split('').join(' ')
  return `${number} ${words.repeat(Math.ceil(tokens / 20))}`
    .split(' ')
    .slice(0, Math.max(4, tokens - 12))
    .join(' ')
}

interface Sample {
  firstMs: number
  grantedMs: number
  totalMs: number
  promptTokens: number
  cachedTokens: number
  replyTokens: number
  promptMs: number
  replyMs: number
}

async function ask(backend: EmbeddedBackend, content: string, maxTokens: number): Promise<Sample> {
  const startedAt = performance.now()
  let firstMs = Number.NaN
  let grantedMs = Number.NaN
  const request = {
    model: 'bench',
    messages: [{ role: 'user' as const, content }],
    maxTokens,
    temperature: 0.8,
    seed: 1,
  }
  const end = await backend.stream(
    request,
    ({ type }) => {
      if (type === 'headers') grantedMs = performance.now() - startedAt
      if (type === 'delta' && Number.isNaN(firstMs)) firstMs = performance.now() - startedAt
    },
    never,
  )
  const { promptTokens = 0, cachedPromptTokens: cachedTokens = 0, replyTokens = 0 } = end.usage
  const { promptMs = 0, replyMs = 0 } = end
  const totalMs = performance.now() - startedAt
  return { firstMs, grantedMs, totalMs, promptTokens, cachedTokens, replyTokens, promptMs, replyMs }
}

/** Milliseconds from the abort until the engine, with its one sequence, works on the next request. */
async function abortTime(backend: EmbeddedBackend, where: 'headers' | 'delta', content: string): Promise<number> {
  const controller = new AbortController()
  let seen = 0
  let freed: Promise<Sample> | undefined
  const request = { model: 'bench', messages: [{ role: 'user' as const, content }], maxTokens: 400, seed: 2 }
  const abort = () => {
    controller.abort(new Error('measured'))
    freed = ask(backend, 'hi', 1)
  }
  await backend
    .stream(
      request,
      ({ type }) => {
        if (type !== where || ++seen !== (where === 'delta' ? 5 : 1)) return
        // In prefill: somewhere inside it, not at its first slice.
        if (where === 'headers') clock.schedule(abort, 20 + 7 * (salt % 10))
        else abort()
      },
      controller.signal,
    )
    .catch(() => undefined)
  const sample = await freed
  if (sample === undefined) throw new Error('the reply was over before it could be aborted')
  return sample.grantedMs
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
const rows: [string, string][] = []
const row = (what: string, value: string): void => {
  rows.push([what, value])
  console.log(`| ${what} | ${value} |`)
}

async function loopDelay<T>(work: () => Promise<T>): Promise<{ p99: number; result: T }> {
  // Resolution 1 ms: what is measured is the time beyond the timer's own.
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const result = await work()
  delay.disable()
  return { p99: delay.percentile(99) / 1e6, result }
}

async function memoryMb(pid: number): Promise<string> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    return `${Math.round(Number(/VmRSS:\s+(\d+)/u.exec(status)?.[1]) / 1_000)} MB`
  } catch {
    return 'not known on this system'
  }
}

const machine = `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.version}`
console.log(`${wanted}, ${machine}, load before the run ${loadavg()[0]?.toFixed(1)}
`)
console.log('| measured | figure |\n| --- | --- |')

const idle = await loopDelay(() => new Promise<void>((resolve) => void clock.schedule(resolve, 1_000)))
row('event loop delay p99, nothing running', ms(idle.p99))

const backend = await open(1)
const startedAt = performance.now()
const loading = await loopDelay(() => backend.load(never))
row('load: process, engine, model', ms(performance.now() - startedAt))
row('of which engine and model', ms(loading.result.loadMs))
row('event loop delay p99 while loading', ms(loading.p99))

await ask(backend, prompt(64), 8)
for (const tokens of [32, 256, 1_024]) {
  const samples: Sample[] = []
  for (let run = 0; run < 3; run++) samples.push(await ask(backend, prompt(tokens), 2))
  const first = median(samples.map(({ firstMs }) => firstMs))
  const read = median(samples.map((one) => ((one.promptTokens - one.cachedTokens) / one.promptMs) * 1_000))
  row(
    `time to first token, prompt of ${samples[0]?.promptTokens} tokens`,
    `${ms(first)} (${Math.round(read)} tokens/s read)`,
  )
}
const again = prompt(512)
await ask(backend, again, 1)
const cached = await ask(backend, again, 2)
row(`time to first token, ${cached.cachedTokens} of ${cached.promptTokens} tokens cached`, ms(cached.firstMs))

const generating = await loopDelay(() => ask(backend, prompt(32), 200))
const { replyTokens, replyMs } = generating.result
row('tokens a second, one conversation', `${Math.round((replyTokens / replyMs) * 1_000)}`)
row('event loop delay p99 while generating', ms(generating.p99))
const reading = await loopDelay(() => ask(backend, prompt(1_024), 1))
row('event loop delay p99 while a prompt is read', ms(reading.p99))

for (const [where, what] of [
  ['headers', 'in prefill'],
  ['delta', 'in generation'],
] as const) {
  const times: number[] = []
  for (let run = 0; run < 15; run++)
    times.push(await abortTime(backend, where, prompt(where === 'headers' ? 1_200 : 32)))
  row(`abort ${what}, until the engine is free`, `median ${ms(median(times))}, worst of 15 ${ms(Math.max(...times))}`)
}
row('memory of the engine’s process, one sequence', await memoryMb(backend.pid ?? 0))
await backend.close()

const four = await open(4)
await four.load(never)
for (const conversations of [1, 4]) {
  const begun = performance.now()
  const samples = await Promise.all(Array.from({ length: conversations }, () => ask(four, prompt(64), 64)))
  const total = samples.reduce((sum, one) => sum + one.replyTokens, 0)
  const speed = Math.round((total / (performance.now() - begun)) * 1_000)
  const first = median(samples.map(({ firstMs }) => firstMs))
  row(`${conversations} at once, prompts of 64 tokens`, `first token ${ms(first)}, ${speed} tokens/s together`)
}
row('memory of the engine’s process, four sequences', await memoryMb(four.pid ?? 0))
await four.close()
