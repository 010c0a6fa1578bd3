import { z } from 'zod'

/**
 * Whatever JSON can hold, as a copy that is equal: `z.json` leaves out a key `__proto__`, and fails where the value is
 * nested deeper than its own calls can be.
 */
export const JsonValue = z.unknown().transform((value, context): unknown => {
  try {
    if (isJson(value)) return JSON.parse(JSON.stringify(value))
  } catch {
    // A cycle, or a getter that throws.
  }
  context.addIssue({ code: 'custom', message: 'must be a value that JSON can hold' })
  return z.NEVER
})

/** What a cycle leads back to counts once. */
function isJson(value: unknown): boolean {
  const seen = new Set<unknown>()
  const pending = [value]
  while (pending.length > 0) {
    const one = pending.pop()
    if (one === null || typeof one === 'string' || typeof one === 'boolean' || Number.isFinite(one)) continue
    if (typeof one !== 'object' || (!Array.isArray(one) && !isPlain(one))) return false
    if (seen.has(one)) continue
    seen.add(one)
    for (const inner of Object.values(one)) pending.push(inner)
  }
  return true
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
