import { isMachineSnapshot, type InspectionEvent } from 'xstate'
import type { Clock } from '../../machines/vocabulary.ts'
import { createBoundedLog } from './bounded-log.ts'
import { chartOf, machineOf } from './chart-of.ts'
import type { ActorStatus, ChartState, InspectorMessage, ShownActor, ShownEntry } from './protocol.ts'
import { toShown, type Sanitize } from './to-shown.ts'

/** What is kept at most; the oldest goes first. */
export interface RecorderLimits {
  /** Entries of the event list. */
  entries: number
  /** Characters that all their payloads may weigh together. */
  entryChars: number
  /** Characters of one payload, and four times as many of a context. */
  payloadChars: number
  /** Actors; ended ones go before living ones. */
  actors: number
  /** Ended actors among them. */
  endedActors: number
}

export const recorderLimits: RecorderLimits = {
  entries: 5_000,
  entryChars: 4_000_000,
  payloadChars: 4_000,
  actors: 2_000,
  endedActors: 200,
}

export interface Recorder {
  /** One inspection event. Costs microseconds, and nothing happens per delta: deltas are no actor events. */
  record(event: InspectionEvent): void
  /** Everything that is kept. */
  hello(): InspectorMessage
  /** What changed since it was asked last; undefined where nothing did. */
  takeBatch(): InspectorMessage | undefined
}

interface Kept {
  actor: ShownActor
  /** The newest context, prepared only when someone looks: most are never seen. */
  context: unknown
  /** Living actors below it. */
  children: Set<number>
}

/** Turns XState's inspection events into what is shown, within bounds. */
export function createRecorder({
  clock,
  sanitize,
  limits = recorderLimits,
  isWatched,
  changed,
}: {
  clock: Clock
  sanitize?: Sanitize | undefined
  limits?: RecorderLimits
  isWatched: () => boolean
  /** Called when a batch is worth taking. */
  changed: () => void
}): Recorder {
  const log = createBoundedLog<ShownEntry>({ entries: limits.entries, chars: limits.entryChars })
  const kept = new Map<number, Kept>()
  const ended = new Set<number>()
  const keys = new WeakMap<object, number>()
  const charts = new Map<object, { name: string; chart: ChartState }>()
  let counted = 0
  let seq = 0
  // What the next batch tells.
  let untold = 0
  let newCharts: Record<string, ChartState> = {}
  let gone: number[] = []
  const dirty = new Set<number>()

  function add(entry: ShownEntry, chars: number): void {
    log.add(entry, chars + entryWeight)
    note(() => (untold += 1))
  }

  /** What a batch is to tell; while nobody looks nothing is noted, since a newcomer gets everything. */
  function note(what: () => void): void {
    if (!isWatched()) return
    what()
    changed()
  }

  const stamp = (actor: number) => ({ seq: (seq += 1), atMs: clock.now(), actor })

  /** Conversations share their chart's configuration, so that it is read and sent once. */
  function chartName(logic: unknown): string | undefined {
    const machine = machineOf(logic)
    if (!machine) return undefined
    const known = charts.get(machine.config)
    if (known) return known.name
    const taken = [...charts.values()].filter(({ chart }) => chart.id === machine.id).length
    const name = taken === 0 ? machine.id : `${machine.id} (${taken + 1})`
    const chart = chartOf(machine)
    charts.set(machine.config, { name, chart })
    note(() => (newCharts[name] = chart))
    return name
  }

  function born(ref: object): Kept {
    counted += 1
    const key = counted
    const parent = parentOf(ref)
    const logic = property(ref, 'logic')
    const chart = chartName(logic)
    const one: Kept = {
      actor: {
        key,
        id: nameOf(ref),
        parent: parent?.actor.key ?? null,
        kind: chart === undefined ? 'actor' : 'machine',
        ...(chart === undefined ? {} : { chart }),
        status: 'active',
        active: [],
        bornAtMs: clock.now(),
      },
      context: undefined,
      children: new Set(),
    }
    keys.set(ref, key)
    kept.set(key, one)
    parent?.children.add(key)
    note(() => dirty.add(key))
    add({ ...stamp(key), kind: 'born' }, 0)
    makeRoom()
    return one
  }

  function parentOf(ref: object): Kept | undefined {
    const parent = property(ref, '_parent')
    if (typeof parent !== 'object' || parent === null) return undefined
    const key = keys.get(parent)
    return key === undefined ? undefined : kept.get(key)
  }

  /** An actor is known from its first event on, also where the inspector came late. */
  function actorOf(ref: object): Kept {
    const key = keys.get(ref)
    return (key === undefined ? undefined : kept.get(key)) ?? born(ref)
  }

  function makeRoom(): void {
    for (const key of ended) {
      if (ended.size <= limits.endedActors && kept.size <= limits.actors) break
      forget(key)
    }
    for (const key of kept.keys()) {
      if (kept.size <= limits.actors) break
      forget(key)
    }
  }

  function forget(key: number): void {
    kept.delete(key)
    ended.delete(key)
    dirty.delete(key)
    note(() => gone.push(key))
  }

  function noteSnapshot(one: Kept, snapshot: { status: ActorStatus }): void {
    const { actor } = one
    if (isMachineSnapshot(snapshot)) {
      actor.active = snapshot._nodes.map(({ id }) => id)
      one.context = snapshot.context
      endLost(one, Object.values(snapshot.children))
    } else if ('context' in snapshot) one.context = snapshot.context
    note(() => dirty.add(actor.key))
    if (snapshot.status !== 'active') end(one, snapshot.status)
  }

  /** One that is stopped before it was started says nothing; its parent no longer has it. */
  function endLost({ children }: Kept, present: readonly unknown[]): void {
    if (children.size === 0) return
    const living = new Set(present.map((ref) => (typeof ref === 'object' && ref !== null ? keys.get(ref) : undefined)))
    for (const key of children) {
      const child = kept.get(key)
      if (!child) children.delete(key)
      else if (!living.has(key)) end(child, 'stopped')
    }
  }

  function end(one: Kept, status: ActorStatus): void {
    const { actor } = one
    if (actor.status !== 'active') return
    actor.status = status
    actor.endedAtMs = clock.now()
    // An ended actor is shown as it was, and what it held is let go.
    actor.context = contextOf(one)
    one.context = undefined
    if (actor.parent !== null) kept.get(actor.parent)?.children.delete(actor.key)
    ended.add(actor.key)
    note(() => dirty.add(actor.key))
    add({ ...stamp(actor.key), kind: 'ended', status }, 0)
    makeRoom()
  }

  function contextOf({ actor, context }: Kept): string {
    if (context === undefined) return actor.context ?? ''
    return toShown({ kind: 'context', actor: actor.id, payload: context }, sanitize, limits.payloadChars * 4)
  }

  function shown(one: Kept): ShownActor {
    const context = contextOf(one)
    return context === '' ? { ...one.actor } : { ...one.actor, context }
  }

  return {
    record(event) {
      switch (event.type) {
        case '@xstate.actor':
          actorOf(event.actorRef)
          break
        case '@xstate.event': {
          const { actor } = actorOf(event.actorRef)
          const { type, ...rest } = event.event
          const payload =
            Object.keys(rest).length === 0
              ? ''
              : toShown({ kind: 'event', actor: actor.id, type, payload: rest }, sanitize, limits.payloadChars)
          const from = event.sourceRef === undefined ? null : (keys.get(event.sourceRef) ?? null)
          add({ ...stamp(actor.key), kind: 'event', type, from, payload }, payload.length)
          break
        }
        case '@xstate.microstep': {
          const { actor } = actorOf(event.actorRef)
          for (const { eventType, source, target } of event._transitions) {
            if (target === undefined) continue
            const targets = target.map(({ id }) => id)
            add({ ...stamp(actor.key), kind: 'step', on: eventType, source: source.id, targets }, 0)
          }
          break
        }
        case '@xstate.snapshot':
          noteSnapshot(actorOf(event.actorRef), event.snapshot)
          break
        case '@xstate.action':
        case '@xstate.transition':
          break
      }
    },
    hello: () => ({
      type: 'hello',
      version: 1,
      nowMs: clock.now(),
      charts: Object.fromEntries([...charts.values()].map(({ name, chart }) => [name, chart])),
      actors: [...kept.values()].map(shown),
      entries: log.all(),
      forgotten: log.forgotten,
    }),
    takeBatch() {
      const actors = [...dirty].flatMap((key) => kept.get(key) ?? []).map(shown)
      const batch = {
        type: 'batch' as const,
        nowMs: clock.now(),
        charts: newCharts,
        actors,
        entries: log.newest(untold),
        gone,
      }
      const isEmpty = actors.length === 0 && untold === 0 && gone.length === 0
      dirty.clear()
      untold = 0
      newCharts = {}
      gone = []
      return isEmpty ? undefined : batch
    },
  }
}

/** What an entry weighs beside its payload, roughly. */
const entryWeight = 120

/** XState calls an invoked actor without an id by its place (`0.conversation.detecting`); its source says more. */
function nameOf(ref: object): string {
  const [id, src] = [property(ref, 'id'), property(ref, 'src')]
  return typeof src === 'string' && /^\d+\./.test(String(id)) ? src : String(id)
}

function property(holder: object, name: string): unknown {
  return Reflect.get(holder, name)
}
