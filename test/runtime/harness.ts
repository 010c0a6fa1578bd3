import { Subject } from 'rxjs'
import type { ServiceEvent, SpeechEvent } from '../../machines/vocabulary.ts'
import { createLlmService } from '../../src/runtime/service.ts'
import type { LlmServiceOptions } from '../../src/runtime/options.ts'
import { laterBy } from '../../src/testing/virtual-clock.ts'
import {
  scriptedBackend,
  scriptedSink,
  virtualClock,
  type BackendScript,
  type SinkScript,
} from '../../src/testing/index.ts'

/** Where the service's clock stands at 0: a moment taken for a span shows. */
const startAtMs = 1_700_000_000_000

/** A service on virtual time with a scripted backend and sink, and a caller who speaks on cue. */
export function talk(given: { backend?: BackendScript; sink?: SinkScript | null; options?: LlmServiceOptions } = {}) {
  const clock = virtualClock()
  const backend = scriptedBackend(given.backend ?? {}, clock)
  const sink = given.sink === null ? undefined : scriptedSink(given.sink ?? {}, clock)
  const service = createLlmService({
    speculation: { enabled: false },
    clock: laterBy(clock, startAtMs),
    backend,
    random: () => 0.5,
    ...(sink === undefined ? {} : { sink }),
    ...given.options,
  })
  const events: ServiceEvent[] = []
  service.events.subscribe((event) => events.push({ ...event, atMs: event.atMs - startAtMs }))
  const conversation = service.conversation()
  const caller = new Subject<SpeechEvent>()
  conversation.listenTo(caller)
  return {
    clock,
    backend,
    sink,
    service,
    events,
    conversation,
    caller,
    /** What happened in turns. */
    names: () =>
      events.map(({ type }) => type).filter((type) => type !== 'STATE_CHANGED' && !type.startsWith('CONVERSATION_')),
    of: <Type extends ServiceEvent['type']>(type: Type) =>
      events.filter((event): event is Extract<ServiceEvent, { type: Type }> => event.type === type),
    state: () => {
      const { value } = conversation.actor.getSnapshot()
      return typeof value === 'string' ? value : Object.keys(value)[0]
    },
  }
}
