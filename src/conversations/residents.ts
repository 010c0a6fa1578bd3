import type { Observable } from 'rxjs'
import { residencyAfter, type Residency, type ResidencyEvent } from '../../machines/residency.ts'
import type { CloseReason, Milliseconds, SpeechEvent, Turn } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import type { Settings } from '../config/config.ts'
import {
  namesOf,
  withChanges,
  type Character,
  type ConversationChanges,
  type ConversationSettings,
} from './character.ts'
import { ConversationOfId, type Conversation, type ConversationKeeper } from './conversation.ts'
import { createDeafness } from './deafness.ts'
import { isOfReply } from './generate.ts'
import { createLines, type ConversationLine } from './lines.ts'
import { draining } from './given.ts'
import type { ResidentHost, ResidentKeeper } from './host.ts'
import { Resident } from './resident.ts'

/** Who is in memory: the one map from id to conversation, and the one place where a life begins and ends. */
export interface Residents {
  /**
   * Opens the id where it is absent, and configures it where it is live. Throws LlmError `config` for settings that are
   * not allowed, and `overloaded` where every place is taken and none is idle.
   */
  conversation(id: string, settings?: ConversationSettings): Conversation
  /** The life that the id has now. */
  find(id: string): Resident | undefined
  /** The life whose actors run, also while it leaves. */
  acting(id: string): Resident | undefined
  /**
   * A conversation that nobody listens to, under an id of its own; it is in no list and in nobody's way. `publish` hears
   * what happens in it. It is gone when it leaves.
   */
  unattended(given: UnattendedSettings): Resident
  /** Hears an event of the bus or the wire: speech opens an absent id, SYSTEM_STOPPED without an id stops all. */
  hear(event: SpeechEvent): void
  /** What is in memory, as it changes. */
  readonly lines: Observable<readonly ConversationLine[]>
  stopAll(): Promise<void>
  /** Takes no new turns. Resolves when all that run are over, or after `graceMs`. */
  drain(graceMs: Milliseconds): Promise<void>
  /** Lets nobody in any more, and resolves when all have left. */
  close(): Promise<void>
}

export interface ResidentsOptions extends ResidentHost {
  limits: Pick<Settings['limits'], 'conversations' | 'idleMs'>
  /** The character of a conversation that is given none. */
  usual: Character
  /** Settings of an id that opens without any. */
  settingsOf: ((id: string) => ConversationSettings | undefined) | undefined
}

export interface UnattendedSettings {
  changes: ConversationChanges
  history: readonly Turn[] | undefined
}

interface Place {
  residency: Residency
  resident: Resident
  conversation: Conversation
  /** The life that is not quite over. */
  leaver?: Resident
}

export function createResidents(options: ResidentsOptions): Residents {
  const { clock, report, limits, usual, publish } = options
  const places = new Map<string, Place>()
  /** Since when those are idle that may leave, the longest first. */
  const quietSince = new Map<string, Milliseconds>()
  const deafness = createDeafness(clock, usual.settings.endpointing)
  const lines = createLines(clock, () => [...places.values()].filter(isCounted).map(({ resident }) => resident))
  /** Conversations of one reply each. */
  const unattended = new Map<string, Resident>()
  let counted = 0
  let replies = 0
  let cancelSweep: (() => void) | undefined
  let isClosed = false
  /** Called when nobody is in memory any more. */
  let drained: (() => void) | undefined

  function step(place: Place, event: ResidencyEvent['type']): void {
    const wasCounted = isCounted(place)
    place.residency = residencyAfter(place.residency, { type: event })
    counted += Number(isCounted(place)) - Number(wasCounted)
    lines.changed()
  }

  function find(id: string): Resident | undefined {
    const place = places.get(id)
    return place !== undefined && isCounted(place) ? place.resident : undefined
  }

  function begin(id: string, given: ConversationSettings): Place {
    const character = namesOf(given, { isBeginning: true }).length === 0 ? usual : withChanges(usual, given, options)
    makeRoom()
    const resident = new Resident(id, { character, history: given.history }, host, residentKeeper)
    const before = places.get(id)
    const place: Place = before ?? {
      residency: 'absent',
      resident,
      conversation: new ConversationOfId(resident, keeper, report),
    }
    place.resident = resident
    places.set(id, place)
    deafness.end(id)
    step(place, 'CONVERSATION_WANTED')
    if (place.residency === 'opening') void resident.open()
    return place
  }

  function opened(resident: Resident): void {
    const place = places.get(resident.id)
    if (place?.resident !== resident) return
    step(place, 'MEMORY_READ')
    stirred(resident)
  }

  function stirred(resident: Resident): void {
    const { id } = resident
    const place = places.get(id)
    if (place?.resident !== resident) return
    if (drained !== undefined && resident.isIdle()) return void leave(resident, 'LEAVE_WANTED', 'left')
    const isQuiet = resident.isQuiet()
    step(place, isQuiet ? 'CONVERSATION_QUIETED' : 'CONVERSATION_STIRRED')
    quietSince.delete(id)
    if (place.residency !== 'live.quiet') return
    quietSince.set(id, clock.now())
    sweepLater()
  }

  async function leave(resident: Resident, event: ResidencyEvent['type'], reason: CloseReason): Promise<void> {
    const { id } = resident
    const place = places.get(id)
    if (place?.resident !== resident || !isCounted(place)) return resident.leave(reason)
    if (reason === 'stopped' && resident.isStretchOpen()) deafness.begin(id)
    place.leaver = resident
    step(place, event)
    quietSince.delete(id)
    await resident.leave(reason)
    delete place.leaver
    step(place, 'LINES_WRITTEN')
    if (place.residency === 'absent') places.delete(id)
    emptied()
    if (place.residency === 'opening') void place.resident.open()
  }

  function emptied(): void {
    if (places.size + unattended.size === 0) drained?.()
  }

  /** The one that is idle longest leaves first. */
  function makeRoom(): void {
    if (counted < limits.conversations) return
    for (const id of quietSince.keys()) {
      const resident = find(id)
      if (resident === undefined) continue
      void leave(resident, 'ROOM_NEEDED', 'evicted')
      return
    }
    const message = `there are ${limits.conversations} conversations already and none is idle; close some or raise limits.conversations`
    throw new LlmError('overloaded', { message })
  }

  /** One timer for all: it is due when the one that is idle longest has been so for `limits.idleMs`. */
  function sweepLater(): void {
    if (limits.idleMs === 0 || cancelSweep !== undefined) return
    const [oldest] = quietSince.values()
    if (oldest === undefined) return
    cancelSweep = clock.schedule(sweep, Math.max(0, oldest + limits.idleMs - clock.now()))
  }

  function sweep(): void {
    cancelSweep = undefined
    for (const [id, sinceMs] of quietSince) {
      if (sinceMs + limits.idleMs > clock.now()) break
      const resident = find(id)
      if (resident !== undefined) void leave(resident, 'IDLE_TIME_PASSED', 'idle')
    }
    sweepLater()
  }

  function conversation(id: string, settings?: ConversationSettings): Conversation {
    if (isClosed) throw closed()
    const known = find(id)
    if (known === undefined && drained !== undefined) throw draining()
    const place = known === undefined ? begin(id, settings ?? options.settingsOf?.(id) ?? {}) : places.get(id)
    if (known !== undefined && settings !== undefined) {
      const { history: _, ...changes } = settings
      known.configure(changes)
    }
    if (place === undefined) throw closed()
    return place.conversation
  }

  const host: ResidentHost = {
    ...options,
    publish(event) {
      publish(event)
      if (event.type === 'STATE_CHANGED') lines.changed()
    },
  }
  const residentKeeper: ResidentKeeper = {
    onOpened: opened,
    onStirred: stirred,
    onEnded: (resident) => void leave(resident, 'CONVERSATION_ENDED', 'stopped'),
  }
  const unattendedHost: ResidentHost = {
    ...options,
    archive: undefined,
    publish(event) {
      if (isOfReply(event)) publish(event)
      if (event.type !== 'CONVERSATION_CLOSED') return
      unattended.delete(event.conversationId)
      emptied()
    },
  }
  const unattendedKeeper: ResidentKeeper = {
    onOpened() {},
    onStirred() {},
    onEnded: (resident) => void resident.leave('stopped'),
  }

  const keeper: ConversationKeeper = {
    find,
    wanted(id) {
      if (!isClosed) conversation(id)
      return find(id)
    },
    leave: (resident: Resident) => leave(resident, 'LEAVE_WANTED', 'left'),
    async stop(resident: Resident) {
      resident.stop()
      await resident.gone
    },
  }

  async function stopAll(): Promise<void> {
    await Promise.all([...places.values()].filter(isCounted).map(({ resident }) => keeper.stop(resident)))
  }

  return {
    conversation,
    find,
    acting(id) {
      const place = places.get(id)
      return place?.leaver ?? place?.resident ?? unattended.get(id)
    },
    lines: lines.stream,
    stopAll,
    unattended({ changes, history }) {
      if (isClosed) throw closed()
      if (drained !== undefined) throw draining()
      do replies += 1
      while (places.has(`single-${replies}`))
      const id = `single-${replies}`
      const character = Object.keys(changes).length === 0 ? usual : withChanges(usual, changes, options)
      const alone = { character: { ...character, sink: undefined }, history, isSpoken: false }
      const resident = new Resident(id, alone, unattendedHost, unattendedKeeper)
      unattended.set(id, resident)
      void resident.open()
      return resident
    },
    hear(event) {
      const { conversationId: id = 'default' } = event
      if (event.type === 'SYSTEM_STOPPED') {
        if (event.conversationId === undefined) void stopAll()
        else find(id)?.take(event)
        return
      }
      const opens = drained === undefined && deafness.lets(id, event)
      if (find(id) === undefined && !opens) return
      conversation(id)
      find(id)?.take(event)
    },
    drain(graceMs) {
      return new Promise((resolve) => {
        const cancel = clock.schedule(resolve, graceMs)
        drained = () => {
          cancel()
          resolve()
        }
        for (const { resident } of places.values()) {
          resident.drain()
          stirred(resident)
        }
        emptied()
      })
    },
    async close() {
      isClosed = true
      cancelSweep?.()
      for (const resident of unattended.values()) void resident.leave('left')
      await Promise.all([...places.values()].map(({ resident }) => keeper.leave(resident)))
      lines.close()
    },
  }
}

/** It takes one of the places that `limits.conversations` allows. */
function isCounted({ residency }: Place): boolean {
  return residency !== 'absent' && residency !== 'leaving.unwanted'
}

function closed(): LlmError {
  return new LlmError('config', { message: 'the service is closed; create a new one' })
}
