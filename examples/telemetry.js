// One turn, told as OpenTelemetry spans. npm i @opentelemetry/api @opentelemetry/sdk-trace-base; node examples/telemetry.js
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { createLlmService } from 'colloquy'
import { traceConversations } from 'colloquy/telemetry'
import { scriptedBackend, scriptedSink, virtualClock } from 'colloquy/testing'

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })

const clock = virtualClock()
const backend = scriptedBackend({ replies: [{ text: 'It is noon. Time for lunch.' }] }, clock)
const service = createLlmService({ clock, backend, sink: scriptedSink({}, clock) })
const tracing = await traceConversations(service, { tracer: provider.getTracer('example') })

void service.conversation('kitchen').ask('What time is it?')
await clock.runUntilIdle()
for (const { name, attributes } of exporter.getFinishedSpans()) console.log(name, attributes)

tracing.unsubscribe()
await service.close()
await provider.shutdown()
