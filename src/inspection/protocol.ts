/** What the inspector tells its page: plain data, one JSON text per message, the server speaks and the page listens. */
import type { Milliseconds } from '../../machines/vocabulary.ts'

/** One transition of a chart as it is drawn. */
export interface ChartTransition {
  /** The event's type as XState has it; '' for an eventless one. */
  on: string
  /** The same for people: `after falseAfterMs`, `always`, `player done`. */
  label: string
  guard?: string
  /** Ids of the states it leads to; none for one that only acts. */
  targets: string[]
  actions: string[]
}

/** A state of a chart, with everything inside it. */
export interface ChartState {
  id: string
  key: string
  type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history'
  description?: string
  tags: string[]
  initial?: string
  invokes: string[]
  transitions: ChartTransition[]
  states: ChartState[]
}

export type ActorStatus = 'active' | 'done' | 'error' | 'stopped'

/** An actor as the tree shows it. */
export interface ShownActor {
  /** Counted by the inspector: unique also over several services. */
  key: number
  /** As XState names it. */
  id: string
  parent: number | null
  /** `actor`: anything but a statechart, a callback or a promise. */
  kind: 'machine' | 'actor'
  /** Which of the charts is its own. */
  chart?: string
  status: ActorStatus
  /** Ids of the states it is in. */
  active: string[]
  bornAtMs: Milliseconds
  endedAtMs?: Milliseconds
  /** JSON text, cut at a limit. */
  context?: string
}

interface EntryBase {
  seq: number
  atMs: Milliseconds
  actor: number
}

/** Something that happened, in order. */
export type ShownEntry =
  /** `payload`: JSON text of the event without its type, cut at a limit. */
  | (EntryBase & { kind: 'event'; type: string; from: number | null; payload: string })
  /** A transition that was taken. */
  | (EntryBase & { kind: 'step'; on: string; source: string; targets: string[] })
  | (EntryBase & { kind: 'born' })
  | (EntryBase & { kind: 'ended'; status: ActorStatus })

export type InspectorMessage =
  /** First, to everyone who joins: all that is kept. Actors stand before the entries that speak of them. */
  | {
      type: 'hello'
      version: 1
      nowMs: Milliseconds
      charts: Record<string, ChartState>
      actors: ShownActor[]
      entries: ShownEntry[]
      forgotten: number
    }
  /** What changed since. `gone`: actors that are no longer kept. */
  | {
      type: 'batch'
      nowMs: Milliseconds
      charts: Record<string, ChartState>
      actors: ShownActor[]
      entries: ShownEntry[]
      gone: number[]
    }
