import { LlmError } from '../index.ts'
import { openService, type Opening, type OpenService } from './open-service.ts'

export interface Opened {
  opening: Opening
  open: OpenService
}

/**
 * Goes on with another model, by a service of its own, since the settings of a service never change; where that cannot
 * be had, with the one before and the `trouble`. A store has one writer, so where one is used the service before must
 * leave first, and is opened anew after a failure. Rejects when that fails too.
 */
export async function changeModel(name: string, before: Opened): Promise<Opened & { trouble?: unknown }> {
  const { settings, keeping } = before.opening
  const fallback = { ...settings.fallback, models: [] }
  const opening = { ...before.opening, settings: { ...settings, defaultModel: name, fallback } }
  if (keeping !== undefined) await before.open.close()
  try {
    const open = await openWith(name, opening)
    if (keeping === undefined) await before.open.close()
    return { opening, open }
  } catch (trouble) {
    if (keeping === undefined) return { opening: before.opening, open: before.open, trouble }
    return { opening: before.opening, open: await openService(before.opening), trouble }
  }
}

async function openWith(name: string, opening: Opening): Promise<OpenService> {
  const open = await openService(opening)
  try {
    const { models } = await open.service.initialize()
    const names = models?.map((model) => model.name) ?? []
    if (names.length === 0 || names.some((known) => known === name || known.split(':')[0] === name)) return open
    throw new LlmError('model-missing', { message: `there is no model ${name}; there are ${names.join(', ')}` })
  } catch (error) {
    // The lock of its store goes with it.
    await open.close()
    throw error
  }
}
