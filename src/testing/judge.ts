import { isDeepStrictEqual } from 'node:util'
import type { ServiceEvent } from '../../machines/vocabulary.ts'
import { heardSource } from '../speaking/heard-text.ts'
import type { Performance } from './perform.ts'
import type { Check, Scenario } from './scenario.ts'

/** What a check found. */
export interface Verdict {
  /** The check in words. */
  check: string
  ok: boolean
  /** What was seen; where the check failed also what was wanted. */
  message: string
}

/** Times hold to this. */
const toleranceMs = 10
const endings: ReadonlySet<string> = new Set(['RESPONSE_FINISHED', 'RESPONSE_INTERRUPTED', 'ERROR_OCCURRED'])

/** Every check of the scenario, then those that hold for every run. */
export function judge(scenario: Scenario, seen: Performance): Verdict[] {
  return [...scenario.expect.map((check) => verdictOn(check, seen)), ...unasked(seen)]
}

function verdictOn(check: Check, seen: Performance): Verdict {
  if ('event' in check) return eventVerdict(check, seen)
  if ('state' in check) return equal(`state at ${check.at}`, seen.states.get(check.at), check.state)
  if ('final' in check) return equal('final state', seen.final, check.final)
  if ('history' in check) return equal('history', seen.history.map(asRemembered), check.history.map(asRemembered))
  if ('requests' in check) return equal('requests', seen.backend.requests.length, check.requests)
  if ('models' in check) return equal('models asked', namesAsked(seen), check.models)
  if ('aborted' in check) return equal('aborted requests', abortedRequests(seen), check.aborted)
  if ('prompt' in check)
    return equal(`messages of request ${check.prompt}`, messagesOf(seen, check.prompt), check.messages)
  if ('segments' in check) return equal('segments', segmentsOf(seen), check.segments)
  if ('heard' in check) return equal('heard', heardIn(seen), check.heard)
  if ('paused' in check)
    return verdict('sink paused', areNear(seen.sink.pauses.flat(), check.paused.flat()), seen.sink.pauses, check.paused)
  const lastSoundMs = Math.max(0, ...seen.sink.sounds.map(([, to]) => to))
  const isSilent = lastSoundMs <= check.silentFrom + toleranceMs
  return verdict(`silent from ${check.silentFrom}`, isSilent, `sound until ${lastSoundMs}`, 'none after it')
}

function eventVerdict(check: Extract<Check, { event: string }>, { events }: Performance): Verdict {
  const found = events.filter(({ type }) => type === check.event)
  const times = found.map(({ atMs }) => atMs)
  const last = found.at(-1)
  const wanted = check.count ?? check.times?.length ?? 1
  const [from, to] = check.between ?? [0, Infinity]
  const isWithin = times.every((at) => at >= from - toleranceMs && at <= to + toleranceMs)
  const differing = Object.entries(check.with ?? {}).filter(
    ([key, value]) => !isDeepStrictEqual(fieldOf(last, key), value),
  )
  const ok = found.length === wanted && isWithin && differing.length === 0 && areNear(times, check.times ?? times)
  const where = [
    check.count === undefined && check.times !== undefined ? '' : ` ${wanted} times`,
    check.between === undefined ? '' : ` within ${from}…${to}`,
    check.times === undefined ? '' : ` at ${JSON.stringify(check.times)}`,
    check.with === undefined ? '' : ` with ${JSON.stringify(check.with)}`,
  ].join('')
  const fields = differing.map(([key]) => `, ${key} ${JSON.stringify(fieldOf(last, key))}`).join('')
  return { check: `${check.event}${where}`, ok, message: `seen at ${JSON.stringify(times)}${fields}` }
}

/** What holds for every conversation, asked or not. */
function unasked(seen: Performance): Verdict[] {
  const { atTheEnd, onceStopped, onceClosed } = seen.scheduled
  const nothing = { atTheEnd: 0, onceStopped: 0, onceClosed: 0 }
  const verdicts = [
    equal('each turn has exactly one ending', turnsWithoutOneEnding(seen.events), []),
    equal('nothing is scheduled any more', { atTheEnd, onceStopped, onceClosed }, nothing),
  ]
  if (seen.backend.mismatches.length === 0) return verdicts
  return [...verdicts, equal('replies were asked of their models', seen.backend.mismatches, [])]
}

/** Turns that ended never or twice, as `turn-1: 0`. */
export function turnsWithoutOneEnding(events: readonly ServiceEvent[]): string[] {
  const counts = new Map<string, number>()
  for (const event of events) {
    if (!('turnId' in event) || event.turnId === undefined || event.turnId === '') continue
    counts.set(event.turnId, (counts.get(event.turnId) ?? 0) + (endings.has(event.type) ? 1 : 0))
  }
  return [...counts].filter(([, count]) => count !== 1).map(([turnId, count]) => `${turnId}: ${count}`)
}

/** What the sink acknowledged, in the words of the reply's source, segments joined by one space. */
export function heardIn({ sink }: Performance): string {
  const heard = sink.played.map(({ segment, acknowledged, endedAtMs }) =>
    acknowledged >= segment.text.length && endedAtMs !== undefined && segment.text !== ''
      ? segment.source
      : heardSource(segment, acknowledged).trimEnd(),
  )
  return heard.filter((text) => text !== '').join(' ')
}

function equal(what: string, actual: unknown, wanted: unknown): Verdict {
  return verdict(what, isDeepStrictEqual(actual, wanted), actual, wanted)
}

function verdict(check: string, ok: boolean, actual: unknown, wanted: unknown): Verdict {
  const shown = JSON.stringify(actual)
  return { check, ok, message: ok ? shown : `${shown}, wanted ${JSON.stringify(wanted)}` }
}

function asRemembered({ role, text, interrupted }: { role: string; text: string; interrupted?: boolean | undefined }) {
  return interrupted === true ? { role, text, interrupted } : { role, text }
}

function fieldOf(event: ServiceEvent | undefined, key: string): unknown {
  return event === undefined ? undefined : Object.entries(event).find(([name]) => name === key)?.[1]
}

function areNear(actual: readonly number[], wanted: readonly number[]): boolean {
  return (
    actual.length === wanted.length && actual.every((at, i) => Math.abs(at - (wanted[i] ?? Infinity)) <= toleranceMs)
  )
}

const namesAsked = ({ backend }: Performance) => backend.requests.map(({ model }) => model)

const abortedRequests = ({ backend }: Performance) =>
  backend.requests.flatMap(({ aborted }, index) => (aborted ? [index] : []))

const messagesOf = ({ backend }: Performance, index: number) =>
  backend.requests[index]?.messages
    .filter(({ role }) => role !== 'system')
    .map(({ role, content }) => ({ role, text: content }))

const segmentsOf = ({ sink }: Performance) => sink.played.map(({ segment }) => segment.text)
