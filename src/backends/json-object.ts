import { z } from 'zod'

/**
 * An object as it was parsed, and the same one: `z.record` makes another, without a key `__proto__` that the model may
 * have written.
 */
export const JsonObject = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
)
