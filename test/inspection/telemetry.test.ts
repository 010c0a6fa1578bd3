import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { Subject } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { ServiceEvent } from '../../machines/vocabulary.ts'
import { traceConversations, type TelemetryOptions } from '../../src/inspection/telemetry/index.ts'
import { defineTool, type LlmServiceOptions } from '../../src/index.ts'
import type { BackendScript } from '../../src/testing/index.ts'
import { talkingService } from './two-conversations.ts'

async function traced({
  options = {},
  ...service
}: { options?: TelemetryOptions; script?: BackendScript } & LlmServiceOptions = {}) {
  const spans = new InMemorySpanExporter()
  const numbers = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const tracing = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const reader = new PeriodicExportingMetricReader({ exporter: numbers, exportIntervalMillis: 3_600_000 })
  const metering = new MeterProvider({ readers: [reader] })
  const talking = talkingService({ apiKey: 'sk-never-to-be-seen', ...service })
  const subscription = await traceConversations(talking.service, {
    tracer: tracing.getTracer('test'),
    meter: metering.getMeter('test'),
    ...options,
  })
  return {
    ...talking,
    subscription,
    spans: () => spans.getFinishedSpans(),
    span: (name: string) => {
      const found = spans.getFinishedSpans().find((one) => one.name === name)
      if (!found) throw new Error(`no span ${name}`)
      return found
    },
    /** The newest value of every metric: of a histogram its sum, rounded to milliseconds. */
    async metrics() {
      await metering.forceFlush()
      const [newest] = numbers.getMetrics().slice(-1)
      const all = newest?.scopeMetrics.flatMap((scope) => scope.metrics) ?? []
      return new Map(
        all.map(({ descriptor, dataPoints }) => [
          descriptor.name,
          dataPoints.map(({ value, attributes }) => ({
            value: typeof value === 'number' ? value : Math.round((value.sum ?? 0) * 1_000) / 1_000,
            attributes,
          })),
        ]),
      )
    },
    async end() {
      subscription.unsubscribe()
      await talking.service.close()
      await tracing.shutdown()
      await metering.shutdown()
    },
  }
}

const seconds = ([whole, nanos]: [number, number]) => Math.round((whole + nanos / 1e9) * 1_000) / 1_000

describe('spans', () => {
  it('a turn is a span, and the request for its reply a client span below it', async () => {
    const { clock, conversation, span, spans, end } = await traced({
      options: { baseUrl: 'http://127.0.0.1:11434', agent: 'butler' },
    })
    void conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    expect(spans().map(({ name }) => name)).toEqual(['chat m1', 'invoke_agent butler'])
    const [turn, chat] = [span('invoke_agent butler'), span('chat m1')]
    expect(turn.kind).toBe(SpanKind.INTERNAL)
    expect(turn.attributes).toMatchObject({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.name': 'butler',
      'gen_ai.conversation.id': 'kitchen',
      'gen_ai.request.model': 'm1',
      'colloquy.turn.ending': 'finished',
      'colloquy.time_to_first_token': 0.2,
    })
    expect(turn.attributes['colloquy.time_to_first_audio']).toBeGreaterThan(0.2)
    expect(chat.kind).toBe(SpanKind.CLIENT)
    expect(chat.parentSpanContext?.spanId).toBe(turn.spanContext().spanId)
    expect(chat.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'scripted',
      'gen_ai.request.model': 'm1',
      'gen_ai.response.model': 'm1',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.conversation.id': 'kitchen',
      'server.address': '127.0.0.1',
      'server.port': 11_434,
    })
    expect(seconds(turn.duration)).toBeGreaterThan(seconds(chat.duration))
    await end()
  })

  it('a function is a span of its own, from its call to its result, without what it was given', async () => {
    const lamp = defineTool({ description: 'The lamp.', parameters: z.object({ room: z.string() }), run: () => 'lit' })
    const { clock, conversation, span, end } = await traced({
      script: {
        replies: [{ toolCalls: [{ name: 'lamp', arguments: { room: 'kitchen' } }] }, { text: 'It is lit.' }],
      },
      tools: { lamp },
    })
    void conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    const [turn, called] = [span('invoke_agent colloquy'), span('execute_tool lamp')]
    expect(called.parentSpanContext?.spanId).toBe(turn.spanContext().spanId)
    expect(called.attributes).toEqual({
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'lamp',
      'gen_ai.tool.type': 'function',
      'gen_ai.tool.call.id': 'call-0',
    })
    expect(seconds(called.startTime)).toBeGreaterThan(seconds(turn.startTime))
    await end()
  })

  it('no word and no key is in them unless content is asked for, and the key not even then', async () => {
    const told = async (options: TelemetryOptions) => {
      const { clock, conversation, spans, end } = await traced({ options })
      void conversation('kitchen').ask('switch on the light')
      await clock.runUntilIdle()
      const text = JSON.stringify(
        spans().map(({ name, attributes, events, status }) => [name, attributes, events, status]),
      )
      await end()
      return text
    }
    const [silent, open] = [await told({}), await told({ content: true })]
    expect(silent).not.toContain('switch on')
    expect(silent).not.toContain('kitchen light')
    expect(open).toContain('switch on the light')
    expect(open).toContain('The kitchen light is on.')
    expect(silent + open).not.toContain('sk-never')
  })

  it('a failed turn has its error type, and so has its request', async () => {
    const { clock, conversation, span, metrics, end } = await traced({
      script: { replies: [{ fault: { kind: 'http', status: 401 } }] },
    })
    void conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    for (const name of ['chat', 'invoke_agent colloquy']) {
      expect(span(name).attributes['error.type']).toBe('auth')
      expect(span(name).status.code).toBe(SpanStatusCode.ERROR)
    }
    const measured = await metrics()
    expect(measured.get('colloquy.errors')).toMatchObject([{ value: 1, attributes: { 'error.type': 'auth' } }])
    expect(measured.get('gen_ai.client.operation.duration')).toMatchObject([{ attributes: { 'error.type': 'auth' } }])
    await end()
  })

  it('an interrupted turn is no error and says why, and what was heard', async () => {
    const { clock, conversation, span, metrics, end } = await traced({ options: { content: true } })
    const kitchen = conversation('kitchen')
    void kitchen.ask('switch on the light')
    await clock.advanceTo(1_000)
    kitchen.interrupt()
    await clock.runUntilIdle()
    const turn = span('invoke_agent colloquy')
    expect(turn.status.code).toBe(SpanStatusCode.UNSET)
    expect(turn.attributes).toMatchObject({
      'colloquy.turn.ending': 'interrupted',
      'colloquy.interruption.reason': 'requested',
    })
    expect(String(turn.attributes['gen_ai.output.messages'])).not.toContain('the hall')
    expect((await metrics()).get('colloquy.turns')).toMatchObject([
      { value: 1, attributes: { 'colloquy.turn.ending': 'interrupted' } },
    ])
    await end()
  })

  it('a reply cut before its text was complete leaves a request without a model', async () => {
    const { clock, conversation, spans, end } = await traced()
    const kitchen = conversation('kitchen')
    void kitchen.ask('switch on the light')
    await clock.advanceTo(100)
    kitchen.interrupt()
    await clock.runUntilIdle()
    expect(spans().map(({ name }) => name)).toEqual(['chat', 'invoke_agent colloquy'])
    await end()
  })

  it('what the assistant says by itself was asked of no model', async () => {
    const { clock, conversation, spans, end } = await traced()
    void conversation('kitchen').say('The eggs are done.')
    await clock.runUntilIdle()
    expect(spans().map(({ name }) => name)).toEqual(['invoke_agent colloquy'])
    expect(spans()[0]?.attributes).not.toHaveProperty('gen_ai.request.model')
    await end()
  })

  it('turns that are open when tracing ends are ended', async () => {
    const { clock, conversation, spans, subscription, end } = await traced()
    void conversation('kitchen').ask('switch on the light')
    await clock.advanceTo(100)
    subscription.unsubscribe()
    expect(spans().map(({ name }) => name)).toEqual(['invoke_agent colloquy'])
    await end()
  })
})

describe('metrics', () => {
  it('times are in seconds, by the names of the conventions, voice under colloquy', async () => {
    const { clock, conversation, metrics, end } = await traced()
    void conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    const measured = await metrics()
    const names = [...measured.keys()]
    expect(names).toEqual(
      expect.arrayContaining([
        'gen_ai.client.operation.duration',
        'gen_ai.client.operation.time_to_first_chunk',
        'colloquy.time_to_first_segment',
        'colloquy.time_to_first_audio',
        'colloquy.turns',
      ]),
    )
    expect(names.every((name) => name.startsWith('gen_ai.client.') || name.startsWith('colloquy.'))).toBe(true)
    expect(measured.get('gen_ai.client.operation.time_to_first_chunk')).toMatchObject([
      { value: 0.2, attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'm1' } },
    ])
    // Ids would make a series of each conversation.
    expect(JSON.stringify([...measured])).not.toContain('kitchen')
    await end()
  })
})

describe('harmlessness', () => {
  it('a tracer that throws ends the tracing and nothing else', async () => {
    const tracer = new BasicTracerProvider().getTracer('test')
    tracer.startSpan = () => {
      throw new Error('broken')
    }
    const { clock, conversation, subscription, end } = await traced({ options: { tracer } })
    const outcome = conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    expect(subscription.closed).toBe(true)
    await end()
  })

  it('an error outside any turn is counted and opens no span', async () => {
    const exporter = new InMemorySpanExporter()
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
    const events = new Subject<ServiceEvent>()
    const subscription = await traceConversations({ events }, { tracer: provider.getTracer('test') })
    events.next({
      type: 'ERROR_OCCURRED',
      conversationId: 'kitchen',
      atMs: 1,
      code: 'bad-input',
      message: 'no',
      recoverable: true,
    })
    events.complete()
    expect(exporter.getFinishedSpans()).toEqual([])
    subscription.unsubscribe()
    await provider.shutdown()
  })
})
