import { fromCallback } from 'xstate'
import { home, type Candidate } from '../../machines/reply/policy.ts'
import type { LocateInput, ReplyEvent } from '../../machines/reply/context.ts'
import type { ReplyCommand } from '../../machines/vocabulary.ts'
import { LlmError } from '../backends/contract.ts'
import { originOf, ownCandidates, planOf, type Plan } from './candidates.ts'
import { modelMissing, type ModelDirectory } from './models.ts'
import { toFailure } from './to-failure.ts'
import type { Connect, ReplyConversation, Target } from './types.ts'

/** Finds out which models may be asked. Only the service's own backend is looked at; others when their turn comes. */
export function locateLogic(world: {
  conversationOf(id: string): ReplyConversation
  connect: Connect
  forget(target: Target): void
  models: ModelDirectory
}) {
  return fromCallback<ReplyCommand, LocateInput>(({ input, sendBack }) => {
    const controller = new AbortController()
    const tell = (event: ReplyEvent) => {
      if (!controller.signal.aborted) sendBack(event)
    }
    locate(world, input, controller.signal).then(
      (candidates) => tell({ type: 'MODELS_LOCATED', candidates }),
      // Everything on the service's own backend is left alone by this name, whatever its address.
      (error: unknown) => {
        if (error instanceof LlmError && error.fault === 'path-missing') world.forget({})
        tell({ type: 'ATTEMPT_FAILED', failure: toFailure(error, home) })
      },
    )
    return () => controller.abort()
  })
}

async function locate(
  { conversationOf, connect, models }: Parameters<typeof locateLogic>[0],
  { leftAlone, reply }: LocateInput,
  signal: AbortSignal,
): Promise<Candidate[]> {
  const { settings } = conversationOf(reply.conversationId).characterOf(reply.replyId)
  const plan = planOf(settings)
  const origin = originOf({}, settings)
  const isHomeLeft = leftAlone.includes(home)
  const elsewhere = plan.wishes.flatMap(({ model, target }) => {
    const there = originOf(plan.targets[target] ?? {}, settings)
    const isLeft = leftAlone.includes(there) || (isHomeLeft && there === origin)
    return target === 0 || isLeft ? [] : [{ model, target, origin: there }]
  })
  if (isHomeLeft) return elsewhere
  const backend = await connect({}, signal)
  const list = await models.list(backend, signal).catch((error: unknown) => {
    // Some servers list nothing. With a model named, asking for it is the better test.
    if (plan.hasDefault && error instanceof LlmError && error.code !== 'connection') return null
    throw error
  })
  const own = ownCandidates(plan, backend.origin, list)
  if (own.length + elsewhere.length === 0) throw modelMissing(settings.defaultModel)
  return inWishedOrder(plan, own, elsewhere)
}

/** A wish for another backend keeps its place among those for our own; what nobody wished for goes first. */
function inWishedOrder(plan: Plan, own: Candidate[], elsewhere: Candidate[]): Candidate[] {
  if (elsewhere.length === 0 || own.length === 0) return [...own, ...elsewhere]
  const rank = ({ model, target }: Candidate) =>
    plan.wishes.findIndex((wish) => wish.model === model && wish.target === target)
  const [first] = own
  const ranked = [...own, ...elsewhere].toSorted((a, b) => rank(a) - rank(b))
  return plan.hasDefault || first === undefined ? ranked : [first, ...ranked.filter((candidate) => candidate !== first)]
}
