import { describe, expect, test } from 'vitest'
import { residencyAfter, residencyMachine, type Residency, type ResidencyEvent } from '../../machines/residency.ts'

const events: ResidencyEvent['type'][] = [
  'CONVERSATION_WANTED',
  'MEMORY_READ',
  'CONVERSATION_QUIETED',
  'CONVERSATION_STIRRED',
  'IDLE_TIME_PASSED',
  'ROOM_NEEDED',
  'LEAVE_WANTED',
  'CONVERSATION_ENDED',
  'LINES_WRITTEN',
]

/** Every situation that can be reached from nothing, with what each event makes of it. */
function explore(): Map<Residency, Map<ResidencyEvent['type'], Residency>> {
  const found = new Map<Residency, Map<ResidencyEvent['type'], Residency>>()
  const open: Residency[] = ['absent']
  for (let now = open.pop(); now !== undefined; now = open.pop()) {
    if (found.has(now)) continue
    const answers = new Map<ResidencyEvent['type'], Residency>()
    for (const type of events) {
      const next = residencyAfter(now, { type })
      answers.set(type, next)
      open.push(next)
    }
    found.set(now, answers)
  }
  return found
}

const walk = explore()
const after = (now: Residency, ...types: ResidencyEvent['type'][]) =>
  types.reduce((residency, type) => residencyAfter(residency, { type }), now)

describe('the residency chart, walked exhaustively', () => {
  test('there are six situations, and all are reached', () => {
    expect([...walk.keys()].toSorted()).toEqual([
      'absent',
      'leaving.unwanted',
      'leaving.wanted',
      'live.busy',
      'live.quiet',
      'opening',
    ])
  })

  test('whoever wants a conversation gets it, wherever it stands', () => {
    for (const now of walk.keys()) {
      const wanted = after(now, 'CONVERSATION_WANTED')
      expect(['opening', 'live.busy', 'live.quiet', 'leaving.wanted'], now).toContain(wanted)
      expect(after(wanted, 'LINES_WRITTEN', 'MEMORY_READ'), now).toMatch(/^live/)
    }
  })

  test('nothing leaves memory before its last lines are written', () => {
    for (const [now, answers] of walk)
      for (const [type, next] of answers)
        if (next === 'absent' && now !== 'absent') expect([now, type]).toEqual(['leaving.unwanted', 'LINES_WRITTEN'])
  })

  test('no two lives at once: a conversation that is wanted while it leaves opens when the lines are written', () => {
    for (const [now, answers] of walk)
      for (const [type, next] of answers)
        if (next === 'opening' && now !== 'opening')
          expect([
            ['absent', 'CONVERSATION_WANTED'],
            ['leaving.wanted', 'LINES_WRITTEN'],
          ]).toContainEqual([now, type])
  })

  test('idle time and want of room take quiet conversations alone', () => {
    for (const [now, answers] of walk)
      for (const type of ['IDLE_TIME_PASSED', 'ROOM_NEEDED'] as const)
        expect(answers.get(type), `${now} ${type}`).toBe(now === 'live.quiet' ? 'leaving.unwanted' : now)
  })

  test('from everywhere memory is freed when it is left and written', () => {
    for (const now of walk.keys()) expect(after(now, 'LEAVE_WANTED', 'LINES_WRITTEN'), now).toBe('absent')
  })

  test('every state says what it is for', () => {
    const states = Object.values(residencyMachine.root.states).flatMap((state) => [
      state,
      ...Object.values(state.states),
    ])
    expect(states.filter(({ description }) => description === undefined)).toEqual([])
  })
})
