// Two rooms talk without a server; open the printed address and watch. Ctrl-C ends it: node examples/inspect.js
import { createLlmService, systemClock } from 'colloquy'
import { startInspector } from 'colloquy/inspector'
import { scriptedBackend, scriptedSink } from 'colloquy/testing'

const inspector = await startInspector()
// The second request fails in mid-reply: the reply's chart shows how it is survived.
const replies = [
  { text: 'The kitchen light is on. I left the one in the hall as it was.', firstTokenMs: 400 },
  { text: 'I would try that.', fault: { kind: 'cut', afterTokens: 2 } },
  { text: 'The front door is locked. It was locked at nine.', firstTokenMs: 700 },
]
const backend = scriptedBackend({ replies }, systemClock)
const service = createLlmService({ backend, inspect: inspector.inspect })
console.log(`look at ${inspector.url}`)

async function talk(room, words) {
  const conversation = service.conversation(room)
  conversation.speakTo(scriptedSink({}, systemClock))
  for (;;) {
    const { ending, heard, error } = await conversation.ask(words)
    console.log(`${room}: ${ending}: ${error?.message ?? heard}`)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
  }
}
await Promise.race([talk('kitchen', 'Switch on the light.'), talk('hall', 'Is the front door locked?')])
