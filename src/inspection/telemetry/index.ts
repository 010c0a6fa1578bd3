/** `colloquy/telemetry`: OpenTelemetry spans and metrics of conversations, where `@opentelemetry/api` is installed. */
import type { Meter, Tracer } from '@opentelemetry/api'
import { Subscription, type Observable } from 'rxjs'
import type { ServiceEvent } from '../../../machines/vocabulary.ts'
import { LlmError } from '../../backends/contract.ts'
import { serverAttributes } from './attributes.ts'
import { createMeasures } from './measures.ts'
import { createTurns } from './turns.ts'

export interface TelemetryOptions {
  /** Default: the tracer `colloquy` of the provider that the program registered. */
  tracer?: Tracer
  meter?: Meter
  /** Writes what was said and heard into the spans. Default false: no word leaves the process. */
  content?: boolean
  /** Name of the assistant in the spans. Default `colloquy`. */
  agent?: string
  /** The service's `baseUrl`, for server.address and server.port. */
  baseUrl?: string
}

/**
 * Traces every turn of a service (or of one conversation) until it is unsubscribed: a span `invoke_agent` per turn,
 * below it `chat {model}`, and metrics, by OpenTelemetry's conventions for GenAI; voice timings under `colloquy.*`.
 *
 *     const tracing = await traceConversations(service)
 *
 * Rejects with LlmError `config` where `@opentelemetry/api` is not installed.
 */
export async function traceConversations(
  { events }: { readonly events: Observable<ServiceEvent> },
  { tracer, meter, content = false, agent = 'colloquy', baseUrl }: TelemetryOptions = {},
): Promise<Subscription> {
  const api = await import('@opentelemetry/api').catch((cause: unknown) => {
    throw new LlmError('config', {
      message: 'telemetry needs the package @opentelemetry/api; install it, or leave traceConversations out',
      cause,
    })
  })
  const turns = createTurns({
    api,
    tracer: tracer ?? api.trace.getTracer('colloquy'),
    measures: createMeasures(meter ?? api.metrics.getMeter('colloquy')),
    agent,
    server: serverAttributes(baseUrl),
    content,
  })
  const subscription = new Subscription(() => turns.close())
  subscription.add(
    events.subscribe({
      next(event) {
        try {
          turns.hear(event)
        } catch (error) {
          // A processor that throws is the program's own; the conversation goes on untraced.
          subscription.unsubscribe()
          api.diag.error('colloquy is no longer traced, since telemetry threw', error)
        }
      },
      complete: () => turns.close(),
    }),
  )
  return subscription
}
