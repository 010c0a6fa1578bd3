import type { ConversationSettings } from '../../conversations/character.ts'
import { LlmError } from '../../backends/contract.ts'
import { demand } from './check.ts'
import { isThenable } from './thenable.ts'

/**
 * The settings of a conversation that opens without any; undefined for the service's own. It must answer at once.
 * Where it throws or gives something else, the conversation is not opened.
 */
export type SettingsOf = (conversationId: string) => ConversationSettings | undefined

/** Throws LlmError `config` where there is no answer to open a conversation with. */
export function guardSettingsOf(settingsOf: SettingsOf): SettingsOf {
  demand(typeof settingsOf === 'function', 'settingsOf must be a function (id) => settings')
  return (conversationId) => {
    let given: unknown
    try {
      given = settingsOf(conversationId)
    } catch (cause) {
      throw new LlmError('config', { message: 'settingsOf threw, so the conversation is not opened', cause })
    }
    if (given === undefined || given === null) return undefined
    const isFine = typeof given === 'object' && !isThenable(given)
    demand(isFine, 'settingsOf must return the settings themselves (no promise), or undefined')
    return given
  }
}
