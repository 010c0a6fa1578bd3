/** What SPEC promises of every conversation, looked for in what came of one. */
import { isDeepStrictEqual } from 'node:util'
import type { ServiceEvent } from '../../machines/vocabulary.ts'
import { heardSource } from '../../src/speaking/heard-text.ts'
import { turnsWithoutOneEnding } from '../../src/testing/judge.ts'
import type { Performance } from '../../src/testing/perform.ts'
import type { ScenarioInput } from '../../src/testing/index.ts'

const endings: ReadonlySet<string> = new Set(['RESPONSE_FINISHED', 'RESPONSE_INTERRUPTED', 'ERROR_OCCURRED'])

/** The promises that were broken, as sentences; none where all is well. */
export function brokenPromises(scenario: ScenarioInput, seen: Performance): string[] {
  return [
    ...turnsWithoutOneEnding(seen.events).map((turn) => `not exactly one ending event: ${turn}`),
    ...disorder(seen.events),
    ...severalVoices(seen),
    ...unfitHistory(seen),
    ...lostWords(scenario, seen),
    ...leftovers(scenario, seen),
  ]
}

/** Within a turn: committed, asked for, started, segments by their index, generated somewhere, and the ending last. */
function disorder(events: readonly ServiceEvent[]): string[] {
  const wrong: string[] = []
  const ranks: Record<string, number> = {
    CALLER_TURN_ENDED: 0,
    RESPONSE_GENERATING: 1,
    RESPONSE_STARTED: 2,
    RESPONSE_SEGMENT: 3,
  }
  const turns = new Map<string, ServiceEvent[]>()
  for (const event of events) {
    if (!('turnId' in event) || event.turnId === undefined) continue
    turns.set(event.turnId, [...(turns.get(event.turnId) ?? []), event])
  }
  for (const [turnId, told] of turns) {
    const types = told.map(({ type }) => type)
    const once = types.filter((type) => type !== 'RESPONSE_SEGMENT' && type !== 'RESPONSE_DELAYED')
    const ranked = types.map((type) => ranks[type]).filter((rank) => rank !== undefined)
    const indexes = told.flatMap((event) => (event.type === 'RESPONSE_SEGMENT' ? [event.index] : []))
    const isOrdered =
      new Set(once).size === once.length &&
      endings.has(types.at(-1) ?? '') &&
      (types.indexOf('RESPONSE_GENERATED') === -1 ||
        types.indexOf('RESPONSE_GENERATED') > types.indexOf('RESPONSE_GENERATING')) &&
      isDeepStrictEqual(
        ranked,
        ranked.toSorted((a, b) => a - b),
      ) &&
      indexes.every((index, at) => index === at) &&
      types.includes('RESPONSE_SEGMENT') <= types.includes('RESPONSE_STARTED')
    if (!isOrdered) wrong.push(`${turnId} is told out of order: ${types.join(', ')} (segments ${indexes.join(', ')})`)
  }
  const changes = events.filter((event) => event.type === 'STATE_CHANGED')
  changes.forEach(({ from, to }, at) => {
    const before = changes[at - 1]?.to ?? 'idle'
    if (from !== before) wrong.push(`STATE_CHANGED from ${from} to ${to}, but the state was ${before}`)
  })
  return wrong
}

/** At most one reply is ever audible, and of it one segment at a time. */
function severalVoices({ sink }: Performance): string[] {
  return sink.played.flatMap((played, at) => {
    const before = sink.played[at - 1]
    if (before === undefined || (before.endedAtMs ?? Infinity) <= played.handedAtMs) return []
    return [`segment ${at} was handed over at ${played.handedAtMs} while another was with the sink`]
  })
}

/** History is what was committed and what the sink acknowledged, and nothing else. */
function unfitHistory({ events, sink, history }: Performance): string[] {
  const replyOf = new Map(
    events.flatMap((event) => (event.type === 'RESPONSE_GENERATING' ? [[event.turnId, event.replyId] as const] : [])),
  )
  const heardOf = (turnId: string | undefined) => {
    let heard = ''
    for (const { segment, acknowledged, endedAtMs } of sink.played) {
      if (segment.replyId !== replyOf.get(turnId ?? '')) continue
      const isWhole = acknowledged >= segment.text.length && endedAtMs !== undefined
      const source = isWhole ? segment.source : heardSource(segment, acknowledged)
      if (source !== '') heard += heard === '' ? source : segment.gap + source
    }
    return heard.trim()
  }
  const expected = events.flatMap((event) => {
    if (event.type === 'CALLER_TURN_ENDED') return [{ role: 'user', text: event.text }]
    if (event.type === 'AMBIENT_SPEECH_IGNORED')
      return event.kept === undefined ? [] : [{ role: 'user', text: event.kept }]
    if (!endings.has(event.type) || !('turnId' in event)) return []
    const text = heardOf(event.turnId)
    if ('heard' in event && event.heard.trim() !== text)
      return [{ role: 'assistant', text: `the event says "${event.heard}", the sink "${text}"` }]
    if (text === '') return []
    return [{ role: 'assistant', text, ...(event.type === 'RESPONSE_FINISHED' ? {} : { interrupted: true }) }]
  })
  const actual = history.map(({ role, text, interrupted }) => ({
    role,
    text,
    ...(interrupted === true ? { interrupted } : {}),
  }))
  if (isDeepStrictEqual(actual, expected)) return []
  return [`history is ${JSON.stringify(actual)}, what was committed and acknowledged is ${JSON.stringify(expected)}`]
}

/** Every final transcript that came before a stop is in the history, but for stop words and signs of listening. */
function lostWords({ timeline = [] }: ScenarioInput, { history }: Performance): string[] {
  const stopAtMs = timeline.find(([, type]) => type === 'SYSTEM_STOPPED')?.[0] ?? Infinity
  if (stopAtMs < Infinity) return []
  const remembered = history.filter(({ role }) => role === 'user').map(({ text }) => text)
  return timeline.flatMap(([, type, text = '']) => {
    const word = /question\d+/u.exec(text)?.[0]
    if (type !== 'SPEECH_DETECTED' || word === undefined) return []
    return remembered.some((entry) => entry.includes(word)) ? [] : [`"${text}" was said and is nowhere in the history`]
  })
}

/** In the end: idle or stopped; no timer, no request, no actor, no sound. */
function leftovers({ timeline = [] }: ScenarioInput, seen: Performance): string[] {
  const stop = timeline.find(([, type]) => type === 'SYSTEM_STOPPED')
  const wanted = stop === undefined ? 'idle' : 'stopped'
  const open = seen.backend.requests.filter(({ closedAtMs }) => closedAtMs === undefined)
  const playing = seen.sink.played.filter(({ endedAtMs }) => endedAtMs === undefined)
  const late = stop === undefined ? [] : seen.sink.sounds.filter(([, to]) => to > stop[0])
  return [
    ...(seen.final === wanted ? [] : [`it ends ${seen.final}, not ${wanted}`]),
    ...Object.entries(seen.scheduled).flatMap(([when, count]) => (count === 0 ? [] : [`${count} timers left ${when}`])),
    ...(open.length === 0 ? [] : [`${open.length} requests left open`]),
    ...(playing.length === 0 ? [] : [`${playing.length} segments left with the sink`]),
    ...(seen.children.length === 0 ? [] : [`actors left: ${seen.children.join(', ')}`]),
    ...(late.length === 0 ? [] : ['sound after the stop']),
  ]
}
