import { createActor, fromCallback } from 'xstate'
import type { AttemptFailure, Candidate } from '../../machines/reply/policy.ts'
import type { AttemptInput, CallInput, LocateInput, ReplyEvent } from '../../machines/reply/context.ts'
import type { CallAnswer } from '../../machines/tool-calls.ts'
import { replyMachine } from '../../machines/reply/machine.ts'
import { aSegment } from './a-segment.ts'
import type { ErrorCode, ReplyCommand, ReplyInput, ReplyReport, ToolCall } from '../../machines/vocabulary.ts'
import { settlingClock } from './settling-clock.ts'

/** The words of the reply chart's tests. */
export const replyInput: ReplyInput = {
  conversationId: 'c1',
  replyId: 'r1',
  turnId: 't1',
  purpose: 'answer',
  text: 'hello',
}
export const m1: Candidate = { model: 'm1', target: 0, origin: 'a', loaded: true }
export const m2: Candidate = { model: 'm2', target: 0, origin: 'a', loaded: true }
export const cold: Candidate = { model: 'm4', target: 0, origin: 'a', loaded: false }
export const far: Candidate = { model: 'm3', target: 1, origin: 'b' }
export const segment = aSegment

export const unknown: ReplyEvent = { type: 'WORDS_UNKNOWN' }
export const located = (...candidates: Candidate[]): ReplyEvent => ({ type: 'MODELS_LOCATED', candidates })
export const reached: ReplyEvent = { type: 'BACKEND_REACHED' }
export const granted: ReplyEvent = { type: 'SLOT_GRANTED', firstTokenMs: 4_000, loading: false }
export const connected: ReplyEvent = { type: 'BACKEND_CONNECTED' }
export const firstToken: ReplyEvent = { type: 'FIRST_TOKEN_RECEIVED' }
export const cut: ReplyEvent = { type: 'SEGMENT_CUT', segment }
export const committed: ReplyEvent = { type: 'REPLY_COMMITTED' }
export const completed: ReplyEvent = {
  type: 'TEXT_COMPLETED',
  end: { text: 'Hi.', model: 'm1', backend: 'x', cached: false, usage: {}, finishReason: 'stop' },
}
export const clock: ToolCall = { id: 'c1', name: 'clock', arguments: { zone: 'utc' } }
export const lamp: ToolCall = { id: 'c2', name: 'lamp', arguments: {} }
export const wanted = (...calls: ToolCall[]): ReplyEvent => ({ type: 'TOOLS_WANTED', text: 'Let me look.', calls })
/** A call that cannot be made. */
export const miswritten: ReplyEvent = {
  type: 'TOOLS_WANTED',
  text: '',
  calls: [{ ...clock, arguments: {}, problem: 'Not run: no valid JSON.' }],
}
export const answerOf = (call: ToolCall): CallAnswer => ({ call, result: 'noon', outcome: 'done' })
export const answered = (call: ToolCall): ReplyEvent => ({ type: 'CALL_ANSWERED', answer: answerOf(call) })

export function failed(
  code: ErrorCode,
  more: { status?: number; fault?: string; origin?: string; retryAfterMs?: number } = {},
): ReplyEvent {
  const { fault, origin = 'a', ...facts } = more
  const failure: AttemptFailure = { error: { code, message: code, retryable: false, ...facts }, origin }
  return { type: 'ATTEMPT_FAILED', failure: fault === undefined ? failure : { ...failure, fault } }
}

export interface Started {
  attempts: AttemptInput[]
  looks: LocateInput[]
  /** Rounds of functions that were started, and how many run. */
  calls: CallInput[]
  calling: number
  /** What attempts were told. */
  commands: string[]
  /** How many attempt actors run. */
  running: number
}

/** The chart alone, with actors that do nothing; what they would say is sent by the test. */
export function chart(options: { input?: ReplyInput; afterCommit?: 'stop' | 'continue' } = {}) {
  const clock = settlingClock()
  const started: Started = { attempts: [], looks: [], calls: [], calling: 0, commands: [], running: 0 }
  const machine = replyMachine.provide({
    actors: {
      recall: fromCallback<ReplyCommand, ReplyInput>(() => {}),
      locate: fromCallback<ReplyCommand, LocateInput>(({ input }) => {
        started.looks.push(input)
      }),
      call: fromCallback<ReplyCommand, CallInput>(({ input }) => {
        started.calls.push(input)
        started.calling++
        return () => {
          started.calling--
        }
      }),
      attempt: fromCallback<ReplyCommand, AttemptInput>(({ input, receive }) => {
        receive(({ type }) => started.commands.push(type))
        started.attempts.push(input)
        started.running++
        return () => {
          started.running--
        }
      }),
    },
    guards: options.afterCommit === 'continue' ? { mayContinue: () => true } : {},
  })
  const actor = createActor(machine, {
    input: options.input ?? replyInput,
    clock: {
      setTimeout: (run: () => void, ms: number) => clock.schedule(run, ms),
      clearTimeout: (cancel: () => void) => cancel(),
    },
  })
  const reports: ReplyReport[] = []
  actor.on('*', (report) => reports.push(report))
  actor.start()
  return {
    actor,
    clock,
    started,
    reports,
    send(...events: ReplyEvent[]) {
      for (const event of events) actor.send(event)
      return actor.getSnapshot().value.work
    },
    work: () => actor.getSnapshot().value.work,
    types: () => reports.map(({ type }) => type),
    error: () => reports.flatMap((report) => (report.type === 'REPLY_FAILED' ? [report.error.code] : [])).at(-1),
    asked: () => started.attempts.map(({ candidate }) => candidate.model),
  }
}
