import { home, type Candidate } from '../../machines/reply/policy.ts'
import type { ModelInfo } from '../backends/contract.ts'
import type { Settings } from '../config/config.ts'
import { sameModel } from './models.ts'
import type { Target } from './types.ts'

/** The models that settings name, in the order they are to be tried, and the backends they are on. */
export interface Plan {
  /** The first is the service's own. */
  targets: Target[]
  wishes: { model: string; target: number }[]
  /** Without one the first wish that is in memory goes first. */
  hasDefault: boolean
}

const plans = new WeakMap<Settings, Plan>()

/** The plan that the settings make: read once, since all attempts of a service ask for it. */
export function planOf(settings: Settings): Plan {
  const known = plans.get(settings) ?? readPlan(settings)
  plans.set(settings, known)
  return known
}

function readPlan({ defaultModel, fallback }: Settings): Plan {
  const targets: Target[] = [{}]
  const wishes: Plan['wishes'] = []
  for (const wish of [...(defaultModel === undefined ? [] : [defaultModel]), ...fallback.models]) {
    if (typeof wish === 'string') {
      if (!wishes.some(({ model, target }) => model === wish && target === 0)) wishes.push({ model: wish, target: 0 })
      continue
    }
    const { model, baseUrl, apiKey, apiType } = wish
    if (baseUrl === undefined && apiKey === undefined && apiType === undefined) {
      wishes.push({ model, target: 0 })
      continue
    }
    const target = {
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(apiType === undefined ? {} : { apiType }),
    }
    wishes.push({ model, target: targets.push(target) - 1 })
  }
  return { targets, wishes, hasDefault: defaultModel !== undefined }
}

/** The failure domain of a target that has not been reached yet. */
export function originOf(target: Target, settings: Settings): string {
  if ((target.apiType ?? settings.apiType) === 'embedded') return 'embedded'
  const url = target.baseUrl ?? settings.baseUrl
  return url === undefined ? home : new URL(url).origin
}

/** The candidates of the service's own backend: what is wished and there. `list` null: it does not tell what it has. */
export function ownCandidates(plan: Plan, origin: string, list: readonly ModelInfo[] | null): Candidate[] {
  const own = plan.wishes.filter(({ target }) => target === 0)
  if (list === null) return own.map(({ model }) => ({ model, target: 0, origin }))
  const present = own.flatMap(({ model }) => {
    const info = list.find(({ name }) => sameModel(name, model))
    return info ? [toCandidate({ ...info, name: model }, origin)] : []
  })
  if (plan.hasDefault) return present
  if (present.length === 0) {
    const chat = list.filter((info) => info.chat !== false)
    const first = chat.find(({ loaded }) => loaded === true) ?? chat[0]
    return first ? [toCandidate(first, origin)] : []
  }
  const first = present.find(({ loaded }) => loaded === true)
  return first ? [first, ...present.filter((candidate) => candidate !== first)] : present
}

function toCandidate({ name, loaded }: ModelInfo, origin: string): Candidate {
  return { model: name, target: 0, origin, ...(loaded === undefined ? {} : { loaded }) }
}
