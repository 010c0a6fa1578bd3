import type { ServiceEvent } from '../../src/index.ts'

const endings: ReadonlySet<ServiceEvent['type']> = new Set([
  'RESPONSE_FINISHED',
  'RESPONSE_INTERRUPTED',
  'ERROR_OCCURRED',
])

/** Keeps account of turns: each that began must end, once. */
export function turnBook() {
  const open = new Set<string>()
  const wrong: string[] = []
  const ended: Record<string, number> = {}
  const errors: Record<string, number> = {}
  let began = 0
  return {
    take(event: ServiceEvent): void {
      if (!('turnId' in event) || event.turnId === undefined) return
      const turn = `${event.conversationId} ${event.turnId}`
      if (event.type === 'CALLER_TURN_ENDED') {
        if (open.has(turn)) wrong.push(`${turn} began twice`)
        open.add(turn)
        began += 1
        return
      }
      if (event.type === 'RESPONSE_GENERATING' && !open.has(turn)) {
        open.add(turn)
        began += 1
      }
      if (!endings.has(event.type)) return
      if (!open.delete(turn)) wrong.push(`${turn} ended without having begun, or twice: ${event.type}`)
      ended[event.type] = (ended[event.type] ?? 0) + 1
      if (event.type === 'ERROR_OCCURRED') errors[event.code] = (errors[event.code] ?? 0) + 1
    },
    /** What is not as it must be; turns that are open count only when nothing runs any more. */
    wrong: () => wrong,
    open: () => [...open],
    ended,
    errors,
    get began() {
      return began
    },
  }
}

export type TurnBook = ReturnType<typeof turnBook>
