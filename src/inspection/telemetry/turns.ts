import type * as OpenTelemetry from '@opentelemetry/api'
import type { Attributes, Context, HrTime, Span, Tracer } from '@opentelemetry/api'
import type {
  Milliseconds,
  ResponseGenerated,
  ServiceEvent,
  Timings,
  ToolCalled,
} from '../../../machines/vocabulary.ts'
import { messages, replyAttributes, timingAttributes } from './attributes.ts'
import type { Measures } from './measures.ts'

type Api = typeof OpenTelemetry

interface OpenTurn {
  span: Span
  within: Context
  askedAtMs?: Milliseconds
  /** When the functions that run, or ran last, were called. */
  calledAtMs?: Milliseconds
  said?: string
  generated?: ResponseGenerated
}

export interface TurnTracing {
  api: Api
  tracer: Tracer
  measures: Measures
  agent: string
  server: Attributes
  content: boolean
}

export interface TracedTurns {
  hear(event: ServiceEvent): void
  /** Ends what is open. */
  close(): void
}

/**
 * Spans from the events of conversations.
 *
 *     invoke_agent colloquy   CALLER_TURN_ENDED .................................. RESPONSE_FINISHED
 *       chat llama3.2:3b           RESPONSE_GENERATING ... RESPONSE_GENERATED
 *       execute_tool weather         RESPONSE_DELAYED tool ... TOOL_CALLED
 *
 * The chat span is written when its end is known, and with it its model: a fallback may have answered.
 */
export function createTurns({ api, tracer, measures, agent, server, content }: TurnTracing): TracedTurns {
  const open = new Map<string, OpenTurn>()

  function begin(event: { conversationId: string; turnId: string; atMs: Milliseconds }): OpenTurn {
    const id = turnKey(event)
    const known = open.get(id)
    if (known) return known
    const span = tracer.startSpan(`invoke_agent ${agent}`, {
      kind: api.SpanKind.INTERNAL,
      startTime: moment(event.atMs),
      attributes: {
        'gen_ai.operation.name': 'invoke_agent',
        'gen_ai.agent.name': agent,
        'gen_ai.conversation.id': event.conversationId,
        'colloquy.turn.id': event.turnId,
      },
    })
    const turn: OpenTurn = { span, within: api.trace.setSpan(api.context.active(), span) }
    open.set(id, turn)
    return turn
  }

  function chat(turn: OpenTurn, name: string, endMs: Milliseconds, attributes: Attributes, failed?: string): void {
    const span = tracer.startSpan(
      name,
      {
        kind: api.SpanKind.CLIENT,
        startTime: moment(turn.askedAtMs ?? endMs),
        attributes: { 'gen_ai.operation.name': 'chat', ...server, ...attributes },
      },
      turn.within,
    )
    if (failed !== undefined) span.setStatus({ code: api.SpanStatusCode.ERROR, message: failed })
    span.end(moment(endMs))
  }

  function generated(event: ResponseGenerated): void {
    const turn = begin(event)
    turn.generated = event
    // Words that were given, or kept from an earlier reply, were asked of nobody.
    if (event.backend === 'none' || event.cached) return
    const attributes = replyAttributes(event)
    chat(turn, `chat ${event.model}`, event.atMs, {
      ...attributes,
      'gen_ai.conversation.id': event.conversationId,
      ...(content && turn.said !== undefined ? { 'gen_ai.input.messages': messages('user', turn.said) } : {}),
      ...(content ? { 'gen_ai.output.messages': messages('assistant', event.text) } : {}),
    })
    measures.reply(event, { ...modelOf(attributes), ...server })
  }

  function called(event: ToolCalled): void {
    const turn = begin(event)
    const span = tracer.startSpan(
      `execute_tool ${event.name}`,
      {
        kind: api.SpanKind.INTERNAL,
        startTime: moment(turn.calledAtMs ?? event.atMs),
        attributes: {
          'gen_ai.operation.name': 'execute_tool',
          'gen_ai.tool.name': event.name,
          'gen_ai.tool.type': 'function',
          'gen_ai.tool.call.id': event.id,
        },
      },
      turn.within,
    )
    if (event.outcome !== 'done') span.setStatus({ code: api.SpanStatusCode.ERROR, message: event.outcome })
    span.end(moment(event.atMs))
  }

  function end(
    event: { conversationId: string; turnId: string; atMs: Milliseconds },
    ending: string,
    timings: Timings,
    attributes: Attributes,
    heard?: string,
  ): void {
    const turn = begin(event)
    open.delete(turnKey(event))
    turn.span.setAttributes({
      'colloquy.turn.ending': ending,
      ...timingAttributes(timings),
      ...(turn.generated === undefined || turn.generated.backend === 'none'
        ? {}
        : modelOf(replyAttributes(turn.generated))),
      'gen_ai.operation.name': 'invoke_agent',
      ...attributes,
      ...(content && heard !== undefined ? { 'gen_ai.output.messages': messages('assistant', heard) } : {}),
    })
    turn.span.end(moment(event.atMs))
    measures.turn(ending, timings, { 'gen_ai.agent.name': agent })
  }

  /** The request was out and gave no whole reply. */
  function cutChat(event: ServiceEvent & { turnId: string }, attributes: Attributes, failed?: string): void {
    const turn = open.get(turnKey(event))
    if (turn?.askedAtMs === undefined || turn.generated !== undefined) return
    chat(turn, 'chat', event.atMs, { 'gen_ai.conversation.id': event.conversationId, ...attributes }, failed)
    measures.failedReply(event.atMs - turn.askedAtMs, { 'gen_ai.operation.name': 'chat', ...server, ...attributes })
  }

  return {
    hear(event) {
      switch (event.type) {
        case 'CALLER_TURN_ENDED': {
          const turn = begin(event)
          turn.said = event.text
          if (content) turn.span.setAttribute('gen_ai.input.messages', messages('user', event.text))
          break
        }
        case 'RESPONSE_GENERATING':
          begin(event).askedAtMs = event.atMs
          break
        case 'RESPONSE_DELAYED':
          if (event.reason === 'tool') begin(event).calledAtMs = event.atMs
          begin(event).span.addEvent('colloquy.delayed', { 'colloquy.delay.reason': event.reason }, moment(event.atMs))
          break
        case 'RESPONSE_STARTED':
          begin(event).span.addEvent('colloquy.started', {}, moment(event.atMs))
          break
        case 'TOOL_CALLED':
          called(event)
          break
        case 'RESPONSE_GENERATED':
          generated(event)
          break
        case 'RESPONSE_FINISHED':
          end(event, 'finished', event.timings, {}, event.heard)
          break
        case 'RESPONSE_INTERRUPTED': {
          const why = { 'colloquy.interruption.reason': event.reason }
          cutChat(event, why)
          end(event, 'interrupted', event.timings, why, event.heard)
          break
        }
        case 'ERROR_OCCURRED': {
          const { turnId, code, message } = event
          measures.error(code, { 'gen_ai.agent.name': agent })
          if (turnId === undefined || !open.has(turnKey({ ...event, turnId }))) break
          cutChat({ ...event, turnId }, { 'error.type': code }, message)
          begin({ ...event, turnId }).span.setStatus({ code: api.SpanStatusCode.ERROR, message })
          end({ ...event, turnId }, 'failed', {}, { 'error.type': code }, event.heard)
          break
        }
        case 'RESPONSE_SEGMENT':
        case 'AMBIENT_SPEECH_IGNORED':
        case 'STATE_CHANGED':
        case 'CONVERSATION_OPENED':
        case 'CONVERSATION_CONFIGURED':
        case 'CONVERSATION_CLOSED':
          break
      }
    },
    close() {
      for (const { span } of open.values()) span.end()
      open.clear()
    },
  }
}

function turnKey({ conversationId, turnId }: { conversationId: string; turnId: string }): string {
  return JSON.stringify([conversationId, turnId])
}

/** Few values each, so that they may stand on a metric. */
function modelOf(attributes: Attributes): Attributes {
  const wanted = ['gen_ai.operation.name', 'gen_ai.provider.name', 'gen_ai.request.model', 'gen_ai.response.model']
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => wanted.includes(name)))
}

/** Seconds and nanoseconds: a mere number may be taken for the time since the process began. */
function moment(ms: Milliseconds): HrTime {
  const whole = Math.floor(ms / 1_000)
  return [whole, Math.round((ms - whole * 1_000) * 1_000_000)]
}
