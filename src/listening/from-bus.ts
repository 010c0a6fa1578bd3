/**
 * What a bus handed over under an event's name, as an event. A bus may wrap it (`{ type, data }`), and an emitter may
 * leave the type out, since its handler knows the name. What is anything else stays as it is, and is refused later.
 *
 *     fromBus('SPEECH_DETECTED', { text: 'hello' })                                    // { type: 'SPEECH_DETECTED', text: 'hello' }
 *     fromBus('SPEECH_DETECTED', { type: 'SPEECH_DETECTED', data: { text: 'hello' } })  // the same
 */
export function fromBus(name: string, payload: unknown): unknown {
  if (payload === undefined) return { type: name }
  try {
    if (!isPlain(payload)) return payload
    const { data, type = name } = payload
    return isPlain(data) ? { ...data, type } : { ...payload, type }
  } catch {
    // A getter that throws: the parser refuses what it cannot read.
    return payload
  }
}

/** An object as it was written, or as JSON gives it: no promise, no instance of anything. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
