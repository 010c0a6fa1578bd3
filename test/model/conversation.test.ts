/**
 * The exhaustive walk over the conversation chart: every situation that can be reached, every event in it.
 * `situations.ts` says what is sent and when two situations count as one; each walk runs under a limit.
 */
import { isDeepStrictEqual } from 'node:util'
import { fromCallback, initialTransition, transition } from 'xstate'
import { describe, expect, test } from 'vitest'
import {
  conversationInput,
  conversationMachine,
  type ConversationContext,
  type ConversationEvent,
  type ConversationInput,
  type PolicyChanges,
} from '../../machines/index.ts'
import { activePaths, alphabet, askersIn, isProgress, project, timersOf, type Situation } from './situations.ts'
import { turnText } from '../../machines/conversation/caller-words.ts'
import { saysOnly } from '../../machines/words.ts'
import { typeOf } from '../support/conversation-events.ts'

const machine = conversationMachine.provide({
  actors: {
    reply: fromCallback(() => {}),
    player: fromCallback(() => {}),
    detector: fromCallback(() => {}),
    lookout: fromCallback(() => {}),
  },
})

const walks: Record<string, { policy: PolicyChanges; announces: boolean }> = {
  'with the default policy': { policy: {}, announces: true },
  'with speculation': { policy: { speculation: { enabled: true, maxAttempts: 1 } }, announces: false },
  'with a detector': { policy: { endpointing: { asksDetector: true } }, announces: false },
  'with a store': { policy: { store: { keepsTurns: true } }, announces: false },
  'without interruption': { policy: { interruption: { enabled: false } }, announces: false },
}
/** Far more than any of the walks takes: one that grows beyond it has lost its projection. */
const limit = 20_000

/** An edge of the walk: where it came from, what happened, what became of it, what was told, and whose wait ended. */
interface Step {
  from: Situation
  event: ConversationEvent
  to: Situation
  told: readonly string[]
  settled: readonly string[]
}

const explored = Object.entries(walks).map(([name, { policy, announces }]) => ({
  name,
  ...explore(conversationInput({ policy }), announces),
}))

describe.each(explored)('every situation and every event, $name', ({ situations, steps }) => {
  test('there are many of them, and in none does the chart break', () => {
    console.log(`${situations.length} situations, ${steps.length} steps`)
    expect(situations.length).toBeGreaterThan(100)
    expect(steps.filter(({ to }) => to.status === 'error').map(inWords)).toEqual([])
  })

  test('a reply lives only where one may, under its own id', () => {
    const stray = situations.filter((situation) => !isFit(situation))
    expect(stray.map(project)).toEqual([])
  })

  test('the context survives being written down', () => {
    const lossy = situations.filter(
      ({ context }) =>
        JSON.stringify(JSON.parse(JSON.stringify(context))) !== JSON.stringify(context) || hasUndefined(context),
    )
    expect(lossy.map(project)).toEqual([])
  })

  test('a stop is obeyed everywhere, and nothing lives on', () => {
    const stops = steps.filter(({ event }) => event.type === 'SYSTEM_STOPPED')
    expect(stops.length).toBe(situations.filter(({ status }) => status !== 'done').length)
    const disobeyed = stops.filter(
      ({ to }) => to.status !== 'done' || to.value !== 'stopped' || Object.keys(to.children).length > 0,
    )
    expect(disobeyed.map(inWords)).toEqual([])
  })

  test('a reply that was asked for ends exactly once, and only one that was asked for', () => {
    const wrong = steps.filter(({ from, to, told }) => {
      const before = from.context.reply?.replyId
      const after = to.context.reply?.replyId
      const ended = told.filter((type) => endings.has(type)).length
      const begun = told.filter((type) => type === 'RESPONSE_GENERATING').length
      const wasOpen = before === undefined ? 0 : 1
      const isOpen = after === undefined ? 0 : 1
      return wasOpen + begun - ended !== isOpen || begun > 1 || (before !== undefined && before === after && ended > 0)
    })
    expect(wrong.map(inWords)).toEqual([])
  })

  test('whoever asks waits for one turn, and is named by its ending', () => {
    const lost = steps.filter(({ from, event, to, settled }) => {
      const asker = 'asker' in event && event.asker !== undefined ? [event.asker] : []
      const before = [...askersIn(from), ...asker].toSorted()
      // Whoever is left when it stops is settled with it.
      return !isDeepStrictEqual([...askersIn(to), ...settled].toSorted(), before)
    })
    expect(lost.map(inWords)).toEqual([])
  })

  test('the words of the caller stay until they are a turn, but for stop words', () => {
    const lost = steps.filter(({ from, to, told }) => {
      const { said, policy } = from.context
      const isThere = said.finals.every((final, at) => to.context.said.finals[at] === final)
      const isTurn = told.includes('CALLER_TURN_ENDED') || saysOnly(turnText(said), policy.interruption.stopWords)
      return to.status === 'active' && !isThere && !isTurn
    })
    expect(lost.map(inWords)).toEqual([])
  })

  test('the program ends a reply that is made or spoken, and nothing else', () => {
    const ends = steps.filter(({ event }) => event.type === 'REPLY_UNWANTED')
    const wrong = ends.filter(({ from, to, told }) => {
      const heard = ({ said, voice, formerVoice }: ConversationContext) => [said, voice, formerVoice]
      const { said, policy, reply } = from.context
      const isTurn = told.includes('CALLER_TURN_ENDED') || saysOnly(turnText(said), policy.interruption.stopWords)
      const isKept = isTurn || isDeepStrictEqual(heard(to.context), heard(from.context))
      return told.includes('RESPONSE_INTERRUPTED') !== (reply !== null) || !isKept
    })
    expect(ends.length).toBeGreaterThan(100)
    expect(wrong.map(inWords)).toEqual([])
  })

  test('functions that run when a reply ends are told with their end', () => {
    const silent = steps.filter(
      ({ from, to, told }) =>
        (from.context.reply?.calls.length ?? 0) > 0 &&
        from.context.reply?.replyId !== to.context.reply?.replyId &&
        !told.includes('TOOL_CALLED'),
    )
    expect(silent.map(inWords)).toEqual([])
  })

  test('a turn is told in its order', () => {
    const order = [
      'RESPONSE_INTERRUPTED',
      'RESPONSE_FINISHED',
      'ERROR_OCCURRED',
      'CALLER_TURN_ENDED',
      'RESPONSE_GENERATING',
      'RESPONSE_STARTED',
      'RESPONSE_SEGMENT',
    ]
    const wrong = steps.filter(({ from, told }) => {
      const ranks = told.map((type) => order.indexOf(type)).filter((rank) => rank >= 0)
      const isEnding = from.context.reply === null && told.some((type) => endings.has(type))
      return ranks.some((rank, at) => rank < (ranks[at - 1] ?? 0) && !isEnding)
    })
    expect(wrong.map(inWords)).toEqual([])
  })

  test('with nothing more said, idle or stopped is reached from everywhere', () => {
    const ways = steps
      .filter(({ event }) => isProgress(event))
      .map(({ from, to }) => [project(from), project(to)] as const)
    const fine = new Set(situations.filter((one) => one.matches('idle') || one.matches('stopped')).map(project))
    for (let size = 0; size < fine.size;) {
      size = fine.size
      for (const [from, to] of ways) if (fine.has(to)) fine.add(from)
    }
    expect(situations.map(project).filter((key) => !fine.has(key))).toEqual([])
  })

  test('what a reply that is gone still says changes nothing', () => {
    const late = steps.filter(({ event }) => 'replyId' in event && event.replyId === 'reply-0')
    expect(late.filter(({ from, to, told }) => told.length > 0 || project(from) !== project(to)).map(inWords)).toEqual(
      [],
    )
  })
})

describe('the conversation chart as a picture', () => {
  const nodes = nodesBelow(machine.root)

  test('every state says what it means', () => {
    expect(nodes.filter(({ description = '' }) => description.length < 10).map(({ id }) => id)).toEqual([])
  })

  test('the walk knows every timer', () => {
    const timers = nodes.flatMap(({ id, after }) =>
      after.map(({ delay }) => `${id.replace('conversation.', '')}: ${String(delay)}`),
    )
    expect(new Set(timers)).toEqual(new Set(timersOf))
  })

  test('the walks reach every state but those that are left at once', () => {
    const reached = new Set(
      explored.flatMap(({ situations }) => situations.flatMap(({ value }) => [...activePaths(value, '')])),
    )
    const missed = nodes.map(({ id }) => id.replace('conversation.', '')).filter((path) => !reached.has(path))
    expect(missed).toEqual(['detecting.turn.over'])
  })

  test('every event of the chart is in the alphabet of the walk', () => {
    const [start] = initialTransition(machine, conversationInput())
    const [answering] = transition(machine, start, { type: 'SPEECH_DETECTED', text: 'hello' })
    const sent = new Set<string>(alphabet(answering, { announces: true }).map(({ type }) => type))
    // The actor is stopped right after CONVERSATION_LEFT: nothing is to be walked from there.
    const others = ['PLAYBACK_FINISHED', 'CONVERSATION_LEFT']
    const known = machine.events.filter((type) => !type.startsWith('xstate.') && !others.includes(type))
    expect(known.filter((type) => !sent.has(type))).toEqual([])
  })
})

const endings: ReadonlySet<string> = new Set(['RESPONSE_FINISHED', 'RESPONSE_INTERRUPTED', 'ERROR_OCCURRED'])

/**
 * As `getAdjacencyMap` of xstate/graph walks, whose types take no chart that emits events of its own; and with what
 * was told on the way.
 */
function explore(input: ConversationInput, announces: boolean): { situations: Situation[]; steps: Step[] } {
  const [start] = initialTransition(machine, input)
  const found = new Map<string, Situation>([[project(start), start]])
  const steps: Step[] = []
  for (const from of found.values()) {
    if (found.size > limit) throw new Error(`more than ${limit} situations`)
    if (from.status === 'done') continue
    for (const event of alphabet(from, { announces })) {
      const [to, actions] = transition(machine, from, event)
      const facts = emittedBy(actions)
      steps.push({ from, event, to, told: facts.map(typeOf), settled: facts.flatMap(askersOf) })
      const key = project(to)
      if (!found.has(key)) found.set(key, to)
    }
  }
  return { situations: [...found.values()], steps }
}

function emittedBy(actions: readonly { type: string; params?: unknown }[]): object[] {
  return actions.flatMap(({ type, params }) =>
    type === 'xstate.emit' && typeof params === 'object' && params !== null && 'event' in params
      ? [params.event].filter((fact) => typeof fact === 'object' && fact !== null)
      : [],
  )
}

function askersOf(fact: object): string[] {
  return 'askers' in fact && Array.isArray(fact.askers) ? fact.askers.map(String) : []
}

/** Replies and players are there exactly where the context and the state say so. */
function isFit(situation: Situation): boolean {
  const { reply, speculation } = situation.context
  const mayAnswer = situation.matches('generating') || situation.matches('responding')
  const children = Object.keys(situation.children)
  const replies = children.filter((id) => id.startsWith('reply-'))
  const wanted = [reply?.replyId, speculation?.replyId]
  return (
    (reply !== null) === mayAnswer &&
    (speculation === null || situation.matches('detecting')) &&
    replies.every((id) => wanted.includes(id)) &&
    children.includes('player') === situation.matches('responding') &&
    children.includes('detector') === situation.matches({ detecting: { turn: 'judging' } }) &&
    children.some((id) => id.endsWith('conversation.detecting')) === situation.matches('detecting')
  )
}

function hasUndefined(value: unknown): boolean {
  if (value === undefined) return true
  return typeof value === 'object' && value !== null && Object.values(value).some(hasUndefined)
}

function inWords({ from, event, to, told }: Step): string {
  return `${project(from)} + ${JSON.stringify(event)} -> ${project(to)}, told ${told.join(', ')}`
}

interface Node {
  id: string
  description?: string | undefined
  after: readonly { delay?: unknown }[]
  states: Record<string, Node>
}

function nodesBelow({ states }: Pick<Node, 'states'>): Node[] {
  return Object.values(states).flatMap((node) => [node, ...nodesBelow(node)])
}
