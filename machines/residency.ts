/** How long a conversation is in memory: one small chart per id, asked as a pure function. */
import { setup, transition } from 'xstate'

/** What happens to a conversation's place in memory. */
export type ResidencyEvent =
  /** Somebody speaks to it, asks for it, or wants it to speak. */
  | { type: 'CONVERSATION_WANTED' }
  /** What a store keeps of it was read; without a store at once. */
  | { type: 'MEMORY_READ' }
  /** Nobody speaks, no reply is made or spoken, nothing listens to it or speaks for it. */
  | { type: 'CONVERSATION_QUIETED' }
  | { type: 'CONVERSATION_STIRRED' }
  /** It was quiet for `limits.idleMs`. */
  | { type: 'IDLE_TIME_PASSED' }
  /** `limits.conversations` is reached, and another id wants a place. */
  | { type: 'ROOM_NEEDED' }
  | { type: 'LEAVE_WANTED' }
  /** Its actor is done: stopped, or broken. */
  | { type: 'CONVERSATION_ENDED' }
  /** Its last lines are with the store; without a store at once. */
  | { type: 'LINES_WRITTEN' }

export const residencyMachine = setup({
  types: { events: {} as ResidencyEvent, tags: {} as 'counted' },
}).createMachine({
  id: 'residency',
  initial: 'absent',
  states: {
    absent: {
      description: 'Nothing of it is in memory; a store may keep its turns.',
      on: { CONVERSATION_WANTED: 'opening' },
    },
    opening: {
      description: 'Its newest turns are read; what is said meanwhile waits.',
      tags: ['counted'],
      on: { MEMORY_READ: 'live', LEAVE_WANTED: 'leaving', CONVERSATION_ENDED: 'leaving' },
    },
    live: {
      description: 'It hears and speaks.',
      tags: ['counted'],
      initial: 'busy',
      on: { LEAVE_WANTED: 'leaving', CONVERSATION_ENDED: 'leaving' },
      states: {
        busy: {
          description: 'A turn is open, or something listens to it or speaks for it: it stays.',
          on: { CONVERSATION_QUIETED: 'quiet' },
        },
        quiet: {
          description: 'Nothing happens: it may leave by itself.',
          on: {
            CONVERSATION_STIRRED: 'busy',
            IDLE_TIME_PASSED: '#residency.leaving',
            ROOM_NEEDED: '#residency.leaving',
          },
        },
      },
    },
    leaving: {
      description: 'Its actor is stopped and its last lines are being written.',
      initial: 'unwanted',
      states: {
        unwanted: {
          description: 'Nobody asks for it.',
          on: { LINES_WRITTEN: '#residency.absent', CONVERSATION_WANTED: 'wanted' },
        },
        wanted: {
          description: 'Somebody asks for it already: it opens as soon as the last lines are written.',
          tags: ['counted'],
          on: { LINES_WRITTEN: '#residency.opening', LEAVE_WANTED: 'unwanted', CONVERSATION_ENDED: 'unwanted' },
        },
      },
    },
  },
})

const situations = {
  absent: 'absent',
  opening: 'opening',
  'live.busy': { live: 'busy' },
  'live.quiet': { live: 'quiet' },
  'leaving.unwanted': { leaving: 'unwanted' },
  'leaving.wanted': { leaving: 'wanted' },
} as const

/** Where a conversation stands: the chart's states by their paths. */
export type Residency = keyof typeof situations

/** Where it stands after the event. What means nothing there changes nothing. */
export function residencyAfter(now: Residency, event: ResidencyEvent): Residency {
  const before = residencyMachine.resolveState({ value: situations[now] })
  const [{ value }] = transition(residencyMachine, before, event)
  if (typeof value === 'string') return value
  return 'live' in value ? `live.${value.live}` : `leaving.${value.leaving}`
}
