/** What the page knows: actors, charts and entries, as the inspector tells them. */

/**
 * @typedef {{ key: number, id: string, parent: number | null, kind: string, chart?: string, status: string,
 *   active: string[], bornAtMs: number, endedAtMs?: number, context?: string }} Actor
 * @typedef {{ seq: number, atMs: number, actor: number, kind: 'event' | 'step' | 'born' | 'ended', type?: string,
 *   from?: number | null, payload?: string, on?: string, source?: string, targets?: string[], status?: string }} Entry
 * @typedef {{ event: string, steps: { on: string, source: string, targets: string[] }[] }} Trace
 */

const mostEntries = 5_000

export function createModel() {
  /** @type {Map<number, Actor>} */
  const actors = new Map()
  /** @type {Map<string, any>} */
  const charts = new Map()
  /** Names outlive their actors: entries still speak of them. @type {Map<number, string>} */
  const names = new Map()
  /** The last event of each actor that made it take a step, with its steps. @type {Map<number, Trace>} */
  const traces = new Map()
  /** @type {Map<number, string>} */
  const pending = new Map()
  /** @type {Entry[]} */
  let entries = []

  /** @param {Entry} entry */
  function noteEntry(entry) {
    entries.push(entry)
    if (entry.kind === 'event') {
      pending.set(entry.actor, entry.type ?? '')
    } else if (entry.kind === 'step') {
      const event = pending.get(entry.actor)
      const known = traces.get(entry.actor)
      // The first step after an event begins a new trace; later ones belong to it.
      const trace = event === undefined && known ? known : { event: event ?? entry.on ?? '', steps: [] }
      pending.delete(entry.actor)
      trace.steps.push({ on: entry.on ?? '', source: entry.source ?? '', targets: entry.targets ?? [] })
      traces.set(entry.actor, trace)
    }
  }

  /** @param {any} message */
  function hear(message) {
    if (message.type === 'hello') {
      for (const kept of [actors, charts, names, traces, pending]) kept.clear()
      entries = []
    }
    for (const [name, chart] of Object.entries(message.charts)) charts.set(name, chart)
    for (const actor of message.actors) {
      actors.set(actor.key, actor)
      names.set(actor.key, actor.id)
    }
    for (const key of message.gone ?? []) {
      actors.delete(key)
      traces.delete(key)
      pending.delete(key)
    }
    for (const entry of message.entries) noteEntry(entry)
    if (entries.length > mostEntries * 1.2) entries = entries.slice(-mostEntries)
    if (names.size > 20_000) names.clear()
  }

  return {
    actors,
    charts,
    traces,
    get entries() {
      return entries
    },
    hear,
    /** @param {number | null | undefined} key */
    nameOf: (key) => (key === null || key === undefined ? '' : (actors.get(key)?.id ?? names.get(key) ?? `#${key}`)),
    /** The actor and everything below it. @param {number} key */
    family(key) {
      const family = new Set([key])
      for (const actor of actors.values()) if (actor.parent !== null && family.has(actor.parent)) family.add(actor.key)
      return family
    },
  }
}

/** The states an actor is in, innermost alone: `responding · streaming`. @param {string[]} active */
export function innermost(active) {
  return active.filter((id) => !active.some((other) => other.startsWith(`${id}.`)))
}
