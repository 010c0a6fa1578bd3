/**
 * What a bus handed over under an event's name, as an event. A bus may wrap it (`{ type, data }`), and an emitter may
 * leave the type out, since its handler knows the name. What is anything else stays as it is, and is refused later.
 *
 *     fromBus('SPEECH_DETECTED', { text: 'hello' })                                    // { type: 'SPEECH_DETECTED', text: 'hello' }
 *     fromBus('SPEECH_DETECTED', { type: 'SPEECH_DETECTED', data: { text: 'hello' } })  // the same
 */
export function fromBus(name: string, payload: unknown): unknown {
  if (payload === undefined) return { type: name }
  if (!isRecord(payload)) return payload
  const { data, type = name } = payload
  if (isRecord(data)) return { ...data, type }
  return { ...payload, type }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
