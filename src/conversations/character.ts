import type { ConversationPolicy } from '../../machines/conversation/policy.ts'
import type { Turn } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { suggestion } from '../config/nearest.ts'
import { parseConfig } from '../config/parse-config.ts'
import { isTree, mergeTrees, type SettingsTree } from '../config/read-environment.ts'
import { createToolbox, type Tool } from '../generation/index.ts'
import { guardAmbientPolicy } from '../runtime/collaborators/ambient-policy.ts'
import { guardDetector } from '../runtime/collaborators/detector.ts'
import { guardFacts, type ContextFacts } from '../runtime/collaborators/prompt-hooks.ts'
import { checkSink } from '../runtime/collaborators/sink.ts'
import type { ConfigWithHooks, ServiceParts } from '../runtime/options.ts'
import type { SpeechSink } from '../speaking/sink.ts'
import { policyOf } from './policy.ts'

/** The sections and settings of the service that a conversation may have of its own. */
const ownSettings = [
  'systemPrompt',
  'language',
  'assistantNames',
  'defaultModel',
  'fallback',
  'generation',
  'endpointing',
  'speculation',
  'interruption',
  'ambient',
  'segments',
  'context',
  'cache',
] as const
const ownParts = ['tools', 'facts', 'sink'] as const
const onlyAtFirst = ['history'] as const

/** What a conversation may have of its own; what is not given comes from the service. */
export type ConversationChanges = Partial<Pick<ConfigWithHooks, (typeof ownSettings)[number]>> & {
  /** Functions that the model may call, instead of the service's. */
  tools?: Readonly<Record<string, Tool>>
  /** What is true now, instead of the service's `context.facts`. */
  facts?: ContextFacts
  /** Instead of the service's sink. `speakTo` replaces it for a while. */
  sink?: SpeechSink
}

/** What a conversation is made with. */
export type ConversationSettings = ConversationChanges & {
  /** Earlier turns to start with, when no store has any. */
  history?: readonly Turn[]
}

/** What one reply may have of its own. */
export interface ReplyChanges {
  /** Asked first, instead of `defaultModel`. */
  model?: string
  systemPrompt?: string
  /** Functions that the model may call, instead of the conversation's. */
  tools?: Readonly<Record<string, Tool>>
}

/** The same, as changes of a character. Empty where nothing is given. */
export function changesFor({ model, systemPrompt, tools }: ReplyChanges): ConversationChanges {
  return {
    ...(model === undefined ? {} : { defaultModel: model }),
    ...(systemPrompt === undefined ? {} : { systemPrompt }),
    ...(tools === undefined ? {} : { tools }),
  }
}

/** What a conversation is like: the service's ways, with its own over them. Never changed, only replaced. */
export type Character = Pick<ServiceParts, 'settings' | 'toolbox' | 'facts' | 'detector' | 'ambientPolicy' | 'sink'> & {
  /** What the chart decides by. */
  policy: ConversationPolicy
}

/** The character of conversations that are given none of their own: one object for all of them. */
export function usualCharacter(parts: ServiceParts, keepsTurns: boolean): Character {
  const { settings, toolbox, facts, detector, ambientPolicy, sink } = parts
  const policy = policyOf(settings, { asksDetector: detector !== undefined, keepsTurns })
  return { settings, toolbox, facts, detector, ambientPolicy, sink, policy }
}

/** The character with changes made to it. Throws `config` that names the first key which is wrong, and what is allowed. */
export function withChanges(
  before: Character,
  changes: ConversationChanges,
  { clock, report }: Pick<ServiceParts, 'clock' | 'report'>,
): Character {
  const { tools, facts = changes.context?.facts, sink } = changes
  const hook = changes.endpointing?.detector
  const detector = hook === undefined ? before.detector : guardDetector(hook, clock, report)
  const policyHook = changes.ambient?.policy
  const settings = parseConfig(mergeTrees(before.settings, writtenIn(changes)))
  const ambientPolicy =
    policyHook === undefined
      ? before.ambientPolicy
      : typeof policyHook === 'function'
        ? guardAmbientPolicy(policyHook, clock, report)
        : undefined
  if (sink !== undefined) checkSink(sink)
  const { keepsTurns } = before.policy.store
  return {
    settings,
    toolbox: tools === undefined ? before.toolbox : createToolbox(tools),
    facts: facts === undefined ? before.facts : guardFacts(facts, clock, report),
    detector,
    ambientPolicy,
    sink: sink ?? before.sink,
    policy: policyOf(settings, { asksDetector: detector !== undefined, keepsTurns }),
  }
}

/** The names of the settings that are given. Throws `config` for a key that no conversation has. */
export function namesOf(changes: ConversationSettings, { isBeginning }: { isBeginning: boolean }): string[] {
  const known: readonly string[] = [...ownSettings, ...ownParts, ...(isBeginning ? onlyAtFirst : [])]
  const given: unknown = changes
  if (!isTree(given)) throw wrong('the settings of a conversation must be an object')
  const names = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  const stranger = names.find((name) => !known.includes(name))
  if (stranger === undefined) return names
  if (stranger === 'history') throw wrong('history is for a conversation that begins; this one goes on')
  const near = suggestion(stranger, known)
  throw wrong(`unknown key ${stranger} for a conversation${near === '' ? `; known here: ${known.join(', ')}` : near}`)
}

/** The settings without the hooks that stand among them. */
function writtenIn(changes: ConversationChanges): SettingsTree {
  let written: SettingsTree = {}
  for (const name of ownSettings) {
    const value: unknown = changes[name]
    if (value !== undefined) written = { ...written, [name]: isTree(value) ? withoutHooks(value) : value }
  }
  return written
}

function withoutHooks(section: SettingsTree): SettingsTree {
  return Object.fromEntries(Object.entries(section).filter(([, value]) => typeof value !== 'function'))
}

function wrong(message: string): LlmError {
  return new LlmError('config', { message, fault: 'setting' })
}
