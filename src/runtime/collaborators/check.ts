import { LlmError } from '../../backends/contract.ts'

/** From JavaScript anything may come. Throws `config` with a message that names the option and says what it should be. */
export function demand(isFine: boolean, message: string): void {
  if (!isFine) throw new LlmError('config', { message, fault: 'setting' })
}

/** Whether all of these are there to be called. */
export function hasMethods(given: unknown, ...names: readonly string[]): boolean {
  return names.every((name) => typeof property(given, name) === 'function')
}

/** Whether each of these is there to be called, or not there at all. */
export function mayHaveMethods(given: unknown, ...names: readonly string[]): boolean {
  return names.every((name) => property(given, name) === undefined || hasMethods(given, name))
}

/** undefined too where it cannot be read: a getter or a proxy that throws. */
export function property(given: unknown, name: string): unknown {
  if ((typeof given !== 'object' && typeof given !== 'function') || given === null) return undefined
  try {
    return Reflect.get(given, name)
  } catch {
    return undefined
  }
}
