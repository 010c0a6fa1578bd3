import { fromCallback } from 'xstate'
import type { AttemptInput, ReplyEvent } from '../../machines/reply/context.ts'
import type { WantedCall } from '../../machines/tool-calls.ts'
import type { Clock, ReplyCommand, ReplyInput } from '../../machines/vocabulary.ts'
import { LlmError, type Backend, type BackendEnd, type ChatRequest } from '../backends/contract.ts'
import { createAttemptStream } from './attempt-stream.ts'
import type { Breakers } from './breakers.ts'
import { planOf } from './candidates.ts'
import { modelMissing, sameModel, type ModelDirectory } from './models.ts'
import type { Prompt, Prompts } from './prompts.ts'
import type { Remembered } from './recall.ts'
import type { Slots, SlotTicket } from './slots.ts'
import { toFailure } from './to-failure.ts'
import type { Connect, CreateSegmenter, ReplyConversation, Target } from './types.ts'

/** What all attempts of a service share. */
export interface AttemptWorld {
  clock: Clock
  conversationOf(id: string): ReplyConversation
  connect: Connect
  /** Forgets which API the target speaks, so that the next `connect` looks again. */
  forget: (target: Target) => void
  models: ModelDirectory
  breakers: Breakers
  prompts: Prompts
  slotsOf(origin: string): Slots
  createSegmenter: CreateSegmenter
  /** Puts a complete reply into the cache. */
  keep(conversation: ReplyConversation, reply: ReplyInput, words: Remembered): void
  /** Lets the server read a prompt while nobody waits. */
  readAhead(conversation: ReplyConversation, backend: Backend, prompt: ChatRequest): void
}

/** One request to one model. Unsubscribing aborts it, frees its slot and leaves the queue, all at once. */
export function attemptLogic(world: AttemptWorld) {
  return fromCallback<ReplyCommand, AttemptInput>(({ input, sendBack, receive }) => {
    const attempt = createAttempt(world, input, sendBack)
    receive((command) => {
      if (command.type === 'REPLY_ADOPTED') attempt.adopted()
    })
    attempt.run()
    return () => attempt.abort()
  })
}

function createAttempt(world: AttemptWorld, input: AttemptInput, sendBack: (event: ReplyEvent) => void) {
  const { clock } = world
  const { candidate, reply, attempt } = input
  const conversation = world.conversationOf(reply.conversationId)
  const { settings, toolbox } = conversation.characterOf(reply.replyId)
  const controller = new AbortController()
  const { signal } = controller
  const target = planOf(settings).targets[candidate.target] ?? {}
  let ticket: SlotTicket | undefined
  let breakerPass: ReturnType<Breakers['ask']> | undefined
  let origin = candidate.origin
  let over = false

  function finish(event: ReplyEvent): void {
    if (over) return
    release()
    sendBack(event)
  }

  function fail(error: unknown): void {
    if (over) return
    const failure = toFailure(error, origin)
    breakerPass?.failed(failure)
    finish({ type: 'ATTEMPT_FAILED', failure })
  }

  /** After this nothing is sent any more. */
  function release(): void {
    over = true
    controller.abort()
    stream.close()
    breakerPass?.abandoned()
    ticket?.leave()
  }

  const stream = createAttemptStream({
    input,
    clock,
    settings,
    segmenter: world.createSegmenter(settings, () => conversation.unspokenMs(reply.replyId)),
    conversation,
    sendBack: (event) => {
      if (!over) sendBack(event)
    },
    fail,
    full: () => complete({ model: candidate.model, finishReason: 'stop', usage: {} }),
  })

  let backend: Backend | undefined
  let prompt: Prompt | undefined

  /** The end record came, or our own limit was reached. */
  function complete(end: BackendEnd): void {
    if (over || !backend || !prompt) return
    if (wantsCalls(end)) return completeRound(end)
    const said = stream.end(end)
    if (over) return
    if (said instanceof LlmError) return fail(said)
    noteEnd(backend, end)
    const ahead = prompt.complete(end, said.text)
    const facts = { ...said, model: candidate.model, backend: backend.name, cached: false, usage: end.usage }
    // What a fallback said stands in for nobody: the first model may be back. Words after a function are no first
    // attempt either: what it did would not be done again.
    if (said.finishReason === 'stop' && attempt === 1) world.keep(conversation, reply, facts)
    finish({ type: 'TEXT_COMPLETED', end: facts })
    if (ahead) world.readAhead(conversation, backend, ahead)
  }

  /**
   * Whether a call is more than a slip: functions were offered, or were before the last of the results. Another model
   * that goes on with what was heard is offered none, and what it calls is no call.
   */
  function mayCall(): boolean {
    return prompt?.offersTools === true || input.rounds.length > 0
  }

  function wantsCalls({ finishReason }: BackendEnd): boolean {
    if (!mayCall() || finishReason === 'content-filter') return false
    // Words of a model that was to answer in words are the answer, whatever it calls beside them.
    if (prompt?.offersTools !== true && !stream.isSilent) return false
    return stream.calls.length > 0 || (finishReason === 'tool-calls' && stream.isSilent)
  }

  /** The model wants functions called. Without an end record it wrote a call that the server could not read. */
  function completeRound(end?: BackendEnd): void {
    const text = stream.endRound()
    if (over || !backend || !prompt) return
    if (end) {
      noteEnd(backend, end)
      prompt.learn(end)
    } else breakerPass?.succeeded()
    const checked = toolbox.check(end === undefined ? [] : stream.calls, input.rounds)
    const calls = end?.finishReason === 'length' ? withoutCutCall(checked) : checked
    const refused = calls.length === 0 ? 1 : calls.filter(({ problem }) => problem !== undefined).length
    const told = { replyId: reply.replyId, attempt, atMs: clock.now() }
    if (refused > 0) conversation.onMark({ type: 'calls-refused', ...told, count: refused })
    const replyTokens = end?.usage.replyTokens
    finish({ type: 'TOOLS_WANTED', text, calls, ...(replyTokens === undefined ? {} : { replyTokens }) })
  }

  function noteEnd(answering: Backend, end: BackendEnd): void {
    breakerPass?.succeeded()
    world.models.markLoaded(answering, candidate.model)
    const { model, usage, loadMs, promptMs, replyMs } = end
    conversation.onMark({
      type: 'ended',
      replyId: reply.replyId,
      attempt,
      atMs: clock.now(),
      model,
      backend: answering.name,
      usage,
      ...(loadMs === undefined ? {} : { loadMs }),
      ...(promptMs === undefined ? {} : { promptMs }),
      ...(replyMs === undefined ? {} : { replyMs }),
    })
  }

  function slot(slots: Slots): Promise<void> {
    return new Promise((resolve, reject) => {
      let isGranted = false
      const request = {
        owner: conversation.id,
        priority: reply.purpose === 'speculation' ? ('speculation' as const) : ('reply' as const),
        granted() {
          isGranted = true
          resolve()
        },
        revoked: (why: 'preempted' | 'queue-full') => {
          const error = noSlot(why)
          reject(error)
          fail(error)
        },
      }
      ticket = slots.enter(request)
      if (!isGranted && !over) {
        conversation.onMark({ type: 'queued', replyId: reply.replyId, attempt, atMs: clock.now() })
        sendBack({ type: 'SLOT_AWAITED' })
      }
    })
  }

  async function serve(): Promise<void> {
    const reached = await world.connect(target, signal)
    if (over) return
    backend = reached
    origin = reached.origin
    // What was known when the reply began may be long ago: functions ran, and the model may be in memory by now.
    const isKnown = candidate.target === 0 && (candidate.loaded !== false || input.rounds.length === 0)
    const loaded = isKnown ? candidate.loaded : await whetherLoaded(reached)
    if (over) return
    if (reply.purpose === 'speculation' && settings.speculation.enabled === 'auto' && !reached.canAbortPrompt) {
      throw noSlot('preempted')
    }
    breakerPass = world.breakers.ask(reached.origin, candidate.model)
    const built = await world.prompts.build({ conversation, input, backend: reached, signal })
    if (over) return
    prompt = built
    conversation.onMark({ type: 'prompt', replyId: reply.replyId, attempt, atMs: clock.now(), ...built.info })
    sendBack({ type: 'BACKEND_REACHED' })
    if (over) return
    await slot(world.slotsOf(reached.origin))
    if (over) return
    conversation.onMark({ type: 'slot-granted', replyId: reply.replyId, attempt, atMs: clock.now() })
    const loading = loaded === false
    const firstTokenMs = loading ? Math.max(settings.timeouts.loadingMs, built.firstTokenMs) : built.firstTokenMs
    sendBack({ type: 'SLOT_GRANTED', firstTokenMs, loading })
    if (over) return
    if (reached.name === 'embedded') sendBack({ type: 'BACKEND_CONNECTED' })
    const end = await reached.stream(built.request, stream.on, signal)
    complete(end)
  }

  async function whetherLoaded(reached: Backend): Promise<boolean | undefined> {
    const list = await world.models.list(reached, signal).catch(() => null)
    const found = list?.find(({ name }) => sameModel(name, candidate.model))
    if (list && !found) throw modelMissing(candidate.model)
    return found?.loaded
  }

  return {
    run() {
      serve().catch((error: unknown) => {
        if (over) return
        if (error instanceof LlmError && error.fault === 'bad-call' && mayCall()) return completeRound()
        if (error instanceof LlmError && error.code === 'model-missing' && backend) {
          world.models.markAbsent(backend, candidate.model)
        }
        if (error instanceof LlmError && error.fault === 'path-missing') world.forget(target)
        fail(error)
      })
    },
    adopted() {
      ticket?.raise()
    },
    abort() {
      if (!over) release()
    },
  }
}

/** What is left of arguments that the token limit cut may be read as others, or as none. */
function withoutCutCall(calls: WantedCall[]): WantedCall[] {
  const problem = 'Not run: the call was cut by the limit of the reply. Call it again with shorter arguments.'
  return calls.map((call, at) => (at === calls.length - 1 ? { ...call, arguments: {}, problem } : call))
}

function noSlot(why: 'preempted' | 'queue-full'): LlmError {
  return new LlmError('overloaded', {
    fault: why,
    message:
      why === 'queue-full'
        ? 'too many requests wait for a slot; raise concurrency.queue or concurrency.slots'
        : 'no slot is spare for work ahead',
  })
}
