/*
 * Who may send a request to one backend, and who waits.
 *
 * Not p-queue: fairness needs to know who holds the slots, which its queue class is never told; it frees a slot some
 * microtasks after the task, while a barge-in must find it free at once; and a reply has to be able to take the slot
 * of work that is only done ahead.
 */

/** `reply`: somebody waits for it. `speculation`: may be needed. `prewarm`: only reads ahead. */
export type SlotPriority = 'reply' | 'speculation' | 'prewarm'

export interface SlotRequest {
  /** The conversation: one request of it is in flight at once. */
  owner: string
  priority: SlotPriority
  granted(): void
  /** The place is lost: taken by something more urgent, or the queue is full of more patient owners. */
  revoked(why: 'preempted' | 'queue-full'): void
}

/** A place in the queue, later a slot. */
export interface SlotTicket {
  /** Gives the place or the slot back, at once; harmless when repeated. */
  leave(): void
  /** What was work ahead is now waited for. */
  raise(): void
}

export interface Slots {
  /**
   * Grants a slot at once or queues. `granted` may be called before this returns. Work ahead (speculation, prewarm)
   * never queues: it is revoked where no slot is spare.
   */
  enter(request: SlotRequest): SlotTicket
  readonly spare: number
  readonly waiting: number
  /** Nobody holds a slot and nobody waits. */
  readonly isIdle: boolean
}

interface Place extends SlotRequest {
  state: 'waiting' | 'granted' | 'left'
}

/** Slots of one backend: by priority, fair between owners, bounded. */
export function createSlots(options: { slots: number; queue: number }): Slots {
  const holders = new Set<Place>()
  const waiters = new Set<Place>()
  /** Owners in the order they were last served, for those who wait. */
  const servedAt = new Map<string, number>()
  let served = 0

  const held = (owner: string) => count(holders, owner)

  function grant(place: Place): void {
    waiters.delete(place)
    holders.add(place)
    place.state = 'granted'
    servedAt.set(place.owner, ++served)
    place.granted()
  }

  function leave(place: Place): void {
    if (place.state === 'left') return
    place.state = 'left'
    waiters.delete(place)
    holders.delete(place)
    if (held(place.owner) + count(waiters, place.owner) === 0) servedAt.delete(place.owner)
    serve()
  }

  function revoke(place: Place, why: 'preempted' | 'queue-full'): void {
    place.state = 'left'
    waiters.delete(place)
    holders.delete(place)
    place.revoked(why)
  }

  /** Whoever was served longest ago; one who has a request in flight waits for its end. */
  function next(): Place | undefined {
    let best: Place | undefined
    for (const place of waiters) {
      if (held(place.owner) > 0) continue
      if (!best || (servedAt.get(place.owner) ?? 0) < (servedAt.get(best.owner) ?? 0)) best = place
    }
    return best
  }

  function serve(): void {
    while (holders.size < options.slots) {
      const place = next()
      if (!place) return
      grant(place)
    }
  }

  /**
   * Work ahead gives way: all prewarms (a server that serves one request at a time would let the reply wait for them),
   * speculations of the same conversation, then another's where no slot is left.
   */
  function makeWay(owner: string): void {
    for (const place of holders) {
      if (place.priority === 'prewarm' || (place.owner === owner && place.priority === 'speculation'))
        revoke(place, 'preempted')
    }
    if (holders.size < options.slots) return
    const victim = [...holders].findLast(({ priority }) => priority === 'speculation')
    if (victim) revoke(victim, 'preempted')
  }

  function enqueue(place: Place): void {
    waiters.add(place)
    if (waiters.size <= options.queue) return
    // Full: the owner with the most waiting gives up its newest, which may be the one that just came.
    let victim = place
    for (const waiter of waiters) {
      if (count(waiters, waiter.owner) >= count(waiters, victim.owner)) victim = waiter
    }
    const crowded = count(waiters, victim.owner) > count(waiters, place.owner)
    revoke(crowded ? victim : place, 'queue-full')
  }

  return {
    enter(request) {
      const place: Place = { ...request, state: 'waiting' }
      if (place.priority === 'reply') makeWay(place.owner)
      if (
        holders.size < options.slots &&
        held(place.owner) === 0 &&
        !(place.priority !== 'reply' && waiters.size > 0)
      ) {
        grant(place)
      } else if (place.priority === 'reply') {
        enqueue(place)
      } else {
        revoke(place, 'preempted')
      }
      return {
        leave: () => leave(place),
        raise() {
          place.priority = 'reply'
        },
      }
    },
    get spare() {
      return Math.max(0, options.slots - holders.size)
    },
    get waiting() {
      return waiters.size
    },
    get isIdle() {
      return holders.size + waiters.size === 0
    },
  }
}

function count(places: Set<Place>, owner: string): number {
  let found = 0
  for (const place of places) if (place.owner === owner) found++
  return found
}
