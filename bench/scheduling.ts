/**
 * Who waits how long for a slot: eight callers who ask now and then, and one program that asks forty things at once
 * every minute. The same requests under every policy, on a clock that only counts.
 *
 *     npm run bench:scheduling
 */
import { createSlots, type SlotTicket } from '../src/generation/slots.ts'
import { seededRandom } from '../src/testing/seeded-random.ts'

const slots = 3
const lights = 8
const burst = 'burst'
const horizonMs = 3_600_000

interface Ask {
  owner: string
  atMs: number
  /** How long the server is busy with it. */
  servedMs: number
  /** When the caller barges in, counted from the ask; Infinity: never. */
  unwantedMs: number
}

/** One place in a queue. */
interface Place {
  leave(): void
}
interface Queue {
  enter(ask: Ask, granted: () => void, refused: () => void): Place
}

interface Policy {
  name: string
  queue: () => Queue
  /** A barge-in ends the request. */
  cancels: boolean
  deadlineMs: number
}

const fifo = (): Queue => {
  const waiting: (() => void)[] = []
  let free = slots
  const next = () => {
    const grant = free > 0 ? waiting.shift() : undefined
    if (grant === undefined) return
    free -= 1
    grant()
  }
  return {
    enter(_, granted) {
      let held = false
      const grant = () => {
        held = true
        granted()
      }
      waiting.push(grant)
      next()
      return {
        leave() {
          const at = waiting.indexOf(grant)
          if (at >= 0) waiting.splice(at, 1)
          if (held) free += 1
          held = false
          next()
        },
      }
    },
  }
}

const ours = (queue: number) => (): Queue => {
  const fair = createSlots({ slots, queue })
  return {
    enter: ({ owner }, granted, refused): SlotTicket =>
      fair.enter({ owner, priority: 'reply', granted, revoked: refused }),
  }
}

const policies: Policy[] = [
  { name: 'FIFO semaphore', queue: fifo, cancels: false, deadlineMs: Infinity },
  { name: 'FIFO, barge-ins cancel', queue: fifo, cancels: true, deadlineMs: Infinity },
  { name: 'fair, barge-ins cancel', queue: ours(100_000), cancels: true, deadlineMs: Infinity },
  { name: 'as built: fair, cancel, 4 s deadline, 32 places', queue: ours(32), cancels: true, deadlineMs: 4_000 },
]

function requests(seed: number): Ask[] {
  const random = seededRandom(seed)
  const spread = (meanMs: number) => -Math.log(1 - random()) * meanMs
  const ask = (owner: string, atMs: number): Ask => ({
    owner,
    atMs,
    servedMs: 1_000 + spread(1_500),
    unwantedMs: random() < 0.12 ? 300 + random() * 4_000 : Infinity,
  })
  const asks: Ask[] = []
  for (let light = 0; light < lights; light++) {
    for (let atMs = spread(17_000); atMs < horizonMs; atMs += 3_000 + spread(17_000))
      asks.push(ask(`light-${light}`, atMs))
  }
  for (let atMs = 10_000; atMs < horizonMs; atMs += 60_000) {
    for (let count = 0; count < 40; count++) asks.push(ask(burst, atMs))
  }
  return asks.toSorted((a, b) => a.atMs - b.atMs)
}

/** How long the light ones waited, and what became of all. */
function run({ queue, cancels, deadlineMs }: Policy, asks: readonly Ask[]) {
  const timers: { atMs: number; run: () => void }[] = asks.map((ask) => ({ atMs: ask.atMs, run: () => begin(ask) }))
  let nowMs = 0
  const after = (ms: number, act: () => void) => {
    if (ms === Infinity) return
    const atMs = nowMs + ms
    let low = 0
    let high = timers.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((timers[middle]?.atMs ?? Infinity) <= atMs) low = middle + 1
      else high = middle
    }
    timers.splice(low, 0, { atMs, run: act })
  }
  const at = queue()
  const waits: number[] = []
  const refusals = { light: 0, burst: 0 }
  const counts = { light: 0, burst: 0 }

  function begin(ask: Ask): void {
    const kind = ask.owner === burst ? 'burst' : 'light'
    let state: 'waiting' | 'granted' | 'over' = 'waiting'
    counts[kind] += 1
    const waited = () => {
      if (kind === 'light') waits.push(nowMs - ask.atMs)
    }
    const end = () => {
      state = 'over'
      place.leave()
    }
    const refuse = () => {
      if (state !== 'waiting') return
      state = 'over'
      waited()
      refusals[kind] += 1
    }
    let place: Place = { leave() {} }
    place = at.enter(
      ask,
      () => {
        state = 'granted'
        waited()
        after(ask.servedMs, () => {
          if (state === 'granted') end()
        })
      },
      refuse,
    )
    after(deadlineMs, () => {
      if (state !== 'waiting') return
      refuse()
      place.leave()
    })
    if (!cancels) return
    after(ask.unwantedMs, () => {
      if (state === 'over') return
      if (state === 'waiting') waited()
      end()
    })
  }

  for (let timer = timers.shift(); timer !== undefined; timer = timers.shift()) {
    nowMs = timer.atMs
    timer.run()
  }
  return { waits: waits.toSorted((a, b) => a - b), refusals, counts }
}

const asks = requests(1)
const seconds = (ms: number | undefined) => ((ms ?? Number.NaN) / 1_000).toFixed(1)
const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`
process.stdout.write(
  '| policy | light callers wait, p50 / p95 s | refused, light | refused, burst |\n| --- | --- | --- | --- |\n',
)
for (const policy of policies) {
  const { waits, refusals, counts } = run(policy, asks)
  const at = (part: number) => seconds(waits[Math.floor(waits.length * part)])
  process.stdout.write(
    `| ${policy.name} | ${at(0.5)} / ${at(0.95)} | ${percent(refusals.light, counts.light)} | ${percent(refusals.burst, counts.burst)} |\n`,
  )
}
