import { createLlmService, type LlmServiceOptions } from '../../src/index.ts'
import { scriptedBackend, scriptedSink, virtualClock, type BackendScript } from '../../src/testing/index.ts'

/** A service on virtual time whose conversations speak, each through a sink of its own. */
export function talkingService(options: LlmServiceOptions & { script?: BackendScript } = {}) {
  const { script, ...rest } = options
  const clock = virtualClock()
  const reply = 'The kitchen light is on. I left the one in the hall as it was.'
  const backend = scriptedBackend(script ?? { replies: [{ text: reply, firstTokenMs: 200 }] }, clock)
  const service = createLlmService({ clock, backend, random: () => 0.5, speculation: { enabled: false }, ...rest })
  const conversation = (id: string) => {
    const one = service.conversation(id)
    one.speakTo(scriptedSink({}, clock))
    return one
  }
  return { clock, backend, service, conversation }
}
