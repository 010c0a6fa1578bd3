/**
 * Two hundred conversations against servers that fail at random, for as long as is asked: every turn must end exactly
 * once, nothing may be left running, and the heap must be level after its first two minutes.
 *
 *     npm run soak -- --minutes 20 [--conversations 200] [--seed 1]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLlmService, sqliteStore, type Clock } from '../src/index.ts'
import { systemClock } from '../src/runtime/clock.ts'
import { seededRandom } from '../src/testing/seeded-random.ts'
import { faultyStore } from './soak/faulty-store.ts'
import { memoryBook } from './soak/memory-book.ts'
import { soakTools } from './soak/soak-tools.ts'
import { measureStops } from './soak/measure-stops.ts'
import { soakCaller } from './soak/soak-caller.ts'
import { turnBook } from './soak/turn-book.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    conversations: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
})
const minutes = Number(values.minutes)
const conversations = Number(values.conversations)
const seed = Number(values.seed)
const collect = globalThis.gc
if (collect === undefined) throw new Error('the heap can only be measured with node --expose-gc')

const server = fork(new URL('soak/faulty-server.js', import.meta.url), [String(seed)])
async function answered<T>(shape: z.ZodType<T>, question?: string): Promise<T> {
  const reply = once(server, 'message')
  if (question !== undefined) server.send(question)
  const [message] = await reply
  return shape.parse(message)
}
const { urls } = await answered(z.object({ urls: z.tuple([z.string(), z.string()]) }))
const busy = () => process.getActiveResourcesInfo().filter((name) => /Timeout|TCP|TLS/.test(name)).length
const busyBefore = busy()

let pending = 0
const clock: Clock = {
  now: systemClock.now,
  schedule(run, ms) {
    pending += 1
    let isOver = false
    const over = () => {
      if (!isOver) pending -= 1
      isOver = true
    }
    const cancel = systemClock.schedule(() => {
      over()
      run()
    }, ms)
    return () => {
      over()
      cancel()
    }
  },
}

let actorsMade = 0
let actorsGone = 0
const graves = new FinalizationRegistry<undefined>(() => (actorsGone += 1))
const book = turnBook()
const functions = soakTools(clock)
const memory = memoryBook()
const folder = await mkdtemp(join(tmpdir(), 'colloquy-soak-'))
const file = join(folder, 'conversations.db')
const pause = (ms: number) => new Promise<void>((resolve) => void clock.schedule(resolve, ms))
const store = faultyStore(sqliteStore({ file }), seededRandom(seed), pause)
const service = createLlmService({
  baseUrl: urls[0],
  apiKey: 'sk-soak',
  defaultModel: 'm1',
  fallback: { models: ['m2', { model: 'm3', baseUrl: urls[1] }], afterCommit: 'continue' },
  timeouts: {
    connectMs: 500,
    firstTokenMs: 300,
    loadingMs: 500,
    idleMs: 200,
    totalMs: 2_000,
    queueMs: 500,
    toolMs: 300,
  },
  retry: { minDelayMs: 5, maxDelayMs: 20 },
  breaker: { failures: 8, openMs: 50, maxOpenMs: 500 },
  concurrency: { slots: 8, queue: 64 },
  endpointing: { minDelayMs: 50, maxDelayMs: 200 },
  sink: { stallMs: 100 },
  segments: { charMs: { latin: 1 } },
  error: { resetMs: 100 },
  limits: { conversations: conversations * 2, replyChars: 2_000 },
  clock,
  store,
  tools: functions.tools,
  inspect(event) {
    if (event.type !== '@xstate.actor') return
    actorsMade += 1
    graves.register(event.actorRef, undefined)
  },
})
service.events.subscribe(book.take)
await service.initialize()

const heap: { atMs: number; bytes: number }[] = []
const startedAtMs = clock.now()
const untilMs = startedAtMs + minutes * 60_000
const sampling = setInterval(() => {
  collect()
  collect()
  heap.push({ atMs: clock.now() - startedAtMs, bytes: process.memoryUsage().heapUsed })
}, 5_000)

await Promise.all(
  Array.from({ length: conversations }, (_, line) =>
    soakCaller({ service, clock, untilMs, seed: seed * 100_000 + line, remembers: memory.note }),
  ),
)
clearInterval(sampling)
const ranMs = clock.now() - startedAtMs

/** Everything that ends by itself has a while for it. */
async function settles(isSo: () => boolean | Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 200; tries++) {
    if (await isSo()) return true
    await new Promise((resolve) => void setTimeout(resolve, 25))
  }
  return false
}
const opened = z.object({ open: z.number() })
await settles(() => pending === 0)
const timersLeft = pending
await settles(async () => (await answered(opened, 'open')).open === 0)
const socketsLeft = (await answered(opened, 'open')).open
await service.close()
const counted = z.object({ requests: z.number(), injected: z.record(z.string(), z.number()) })
const { requests, injected } = await answered(counted, 'count')
const reader = sqliteStore({ file, readOnly: true })
const { whole, shorter, wrong } = await memory.compare(reader)
await reader.close()
await rm(folder, { recursive: true, force: true })
await settles(() => {
  collect()
  return actorsGone >= actorsMade - 1
})
server.send('exit')
await once(server, 'exit')
const busyLeft = busy() - busyBefore

const median = (from: number, to: number) => {
  const within = heap.filter(({ atMs }) => atMs >= from && atMs < to).map(({ bytes }) => bytes)
  return within.toSorted((a, b) => a - b)[within.length >> 1] ?? Number.NaN
}
const early = median(120_000, 180_000)
const late = median(ranMs - 60_000, Number.POSITIVE_INFINITY)
const growth = ((late - early) / early) * 100
const stops = await measureStops(200)

const megabytes = (bytes: number) => (Number.isNaN(bytes) ? 'not reached' : `${(bytes / 1_048_576).toFixed(1)} MiB`)
const faults = Object.entries(injected).reduce((sum, [kind, count]) => (kind === 'none' ? sum : sum + count), 0)
const listed = (counts: Record<string, number>) =>
  Object.entries(counts)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
const unended = book.open()
const isFine =
  book.wrong().length === 0 &&
  unended.length === 0 &&
  timersLeft === 0 &&
  socketsLeft === 0 &&
  wrong.length === 0 &&
  functions.running === 0 &&
  busyLeft <= 0 &&
  !(growth > 5)
const rows: [string, string][] = [
  ['conversations at once', String(conversations)],
  ['duration', `${(ranMs / 60_000).toFixed(1)} min`],
  ['seed', String(seed)],
  ['turns', String(book.began)],
  ['requests', String(requests)],
  ['requests with a fault', `${faults} (${Object.keys(injected).length - 1} kinds)`],
  ['endings', listed(book.ended)],
  ['errors', listed(book.errors)],
  ['turns that did not end exactly once', String(book.wrong().length + unended.length)],
  ['functions called', `${functions.called}, ${functions.aborted} of them aborted`],
  ['functions still running', String(functions.running)],
  ['commits to the store', `${store.commits}, ${store.failed} failed and ${store.slowed} slow by intention`],
  [
    'conversations compared with what the store kept',
    `${whole} whole, ${shorter} without their last turns, ${wrong.length} wrong`,
  ],
  ['sockets left', String(socketsLeft)],
  ['timers left', String(timersLeft)],
  ['actors left, of those made', `${actorsMade - actorsGone} of ${actorsMade}`],
  ['handles of the process left', String(Math.max(0, busyLeft))],
  ['heap after forced collections, third minute', megabytes(early)],
  ['heap after forced collections, last minute', megabytes(late)],
  ['growth', Number.isNaN(growth) ? 'not known before the third minute' : `${growth.toFixed(1)} %`],
  ['stop to closed socket, p50 / p99 / max', stops.map((ms) => `${ms.toFixed(1)} ms`).join(' / ')],
  ['verdict', isFine ? 'holds' : 'FAILS'],
]
process.stdout.write(`| | |\n| --- | --- |\n${rows.map(([name, value]) => `| ${name} | ${value} |\n`).join('')}`)
for (const line of [...book.wrong(), ...wrong, ...unended.map((turn) => `${turn} never ended`)].slice(0, 20))
  process.stderr.write(`${line}\n`)
process.exitCode = isFine ? 0 : 1
