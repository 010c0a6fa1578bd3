/**
 * What it takes to keep a turn: a commit through the store's thread beside a plain append with its own sync, in the same
 * run on the same disk, alone and with many conversations at once; and what either does to the event loop. Prints
 * Markdown.
 *
 *     npm run bench:store [-- FOLDER]      a folder on the disk to be measured; else the system's for temporary files
 */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { sqliteStore } from '../src/persistence/sqlite/store.ts'

const turns = 1_000
const rounds = 5
const sideBySide = 32
const secondsOfLoad = 2

/** As a turn of ten minutes' talk is kept: a fact of 300 bytes, a snapshot of 1 KB. */
const body = JSON.stringify({ type: 'RESPONSE_FINISHED', heard: 'x'.repeat(250) })
const snapshot = JSON.stringify({ counters: 'x'.repeat(1_000) })
const check = 'c'.repeat(43)

interface Pen {
  /** Resolves when it is durable. */
  write(conversationId: string, seq: number): Promise<void>
  close(): Promise<void>
}

async function storePen(folder: string): Promise<Pen> {
  const store = sqliteStore({ file: join(folder, 'conversations.db') })
  await store.open()
  return {
    write: (conversationId, seq) => store.commit({ conversationId, snapshot, lines: [{ seq, body, check }] }),
    close: () => store.close(),
  }
}

/** The least that a durable line can cost: one append, one fdatasync, a file for each conversation. */
async function appendPen(folder: string): Promise<Pen> {
  const files = new Map<string, Awaited<ReturnType<typeof open>>>()
  return {
    async write(conversationId, seq) {
      let file = files.get(conversationId)
      if (file === undefined) {
        file = await open(join(folder, `${conversationId}.jsonl`), 'a')
        files.set(conversationId, file)
      }
      await file.write(`${JSON.stringify({ seq, body, check, snapshot })}\n`)
      await file.datasync()
    },
    async close() {
      for (const file of files.values()) await file.close()
    },
  }
}

const pens = { store: storePen, append: appendPen }
type PenName = keyof typeof pens
const names: PenName[] = ['store', 'append']

const quantile = (values: number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN
const ms = (value: number): string => `${value.toFixed(2)} ms`

async function oneAfterAnother(pen: Pen, name: string): Promise<number[]> {
  const times: number[] = []
  for (let seq = 1; seq <= turns; seq++) {
    const startedAt = performance.now()
    await pen.write(name, seq)
    times.push(performance.now() - startedAt)
  }
  return times
}

async function sideBySideRate(pen: Pen, round: number): Promise<number> {
  const startedAt = performance.now()
  const endsAt = startedAt + secondsOfLoad * 1_000
  const counts = await Promise.all(
    Array.from({ length: sideBySide }, async (_, at) => {
      let seq = 0
      while (performance.now() < endsAt) await pen.write(`side-${round}-${at}`, ++seq)
      return seq
    }),
  )
  return (counts.reduce((sum, count) => sum + count, 0) / (performance.now() - startedAt)) * 1_000
}

const folder = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'colloquy-bench-store-'))
const times: Record<PenName, number[]> = { store: [], append: [] }
const rates: Record<PenName, number[]> = { store: [], append: [] }
const delays: Record<PenName, number> = { store: 0, append: 0 }
try {
  const opened = { store: await pens.store(folder), append: await pens.append(folder) }
  // The first of each warms what is compiled and made on first use.
  for (const name of names) await oneAfterAnother(opened[name], 'warm')
  for (let round = 1; round <= rounds; round++) {
    // In turns, so that a disk that is busy for a while is busy for both.
    for (const name of names) {
      times[name].push(...(await oneAfterAnother(opened[name], `alone-${round}`)))
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      rates[name].push(await sideBySideRate(opened[name], round))
      delay.disable()
      delays[name] = Math.max(delays[name], delay.percentile(99) / 1e6)
    }
  }
  for (const name of names) await opened[name].close()
} finally {
  await rm(folder, { recursive: true, force: true })
}

const median = (values: number[]): number => quantile(values, 0.5)
const figures: [string, (name: PenName) => number, (value: number) => string][] = [
  ['a turn, p50', (name) => median(times[name]), ms],
  ['a turn, p99', (name) => quantile(times[name], 0.99), ms],
  [`turns a second, ${sideBySide} conversations at once`, (name) => median(rates[name]), (value) => value.toFixed(0)],
  ['event loop delay p99 under that load', (name) => delays[name], ms],
]
console.log(`Node ${process.version}, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}\n`)
console.log('| measured | store in its thread | append with fdatasync | store : append |\n| --- | --- | --- | --- |')
for (const [what, of, told] of figures) {
  const ratio = of('store') / of('append')
  console.log(`| ${what} | ${told(of('store'))} | ${told(of('append'))} | ${ratio.toFixed(2)} |`)
}
